"""The `crontab` of a machine, and a job to put in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Unpack

from scripts.core.completed import Completed
from scripts.core.process import RunOptions
from scripts.core.scheduled_job import ScheduledJob
from tests.unit.support.fakes import FakeRunner

JOB: Final = ScheduledJob(
    name="ipai-platform-renew-tls",
    description="Renew the certificate",
    argv=("/srv/my odoo/scripts/inv", "setup-tls", "--name=100% $HOME"),
    folder=Path("/srv/my odoo"),
    hours=(15, 3),
    success_codes=(0, 3),
)


@dataclass
class Crontab(FakeRunner):
    """The `crontab` program with the bytes it keeps; None before the first."""

    kept: bytes | None = None
    warning: str = ""

    def run(self, argv: Sequence[str], **options: Unpack[RunOptions]) -> Completed:
        if argv[0] != "crontab" or any(key.startswith("crontab") for key in self.answers):
            return super().run(argv, **options)
        self.calls.append(list(argv))
        if argv[1] != "-l":
            assert options.get("changes")
            if not self.dry:
                self.kept = Path(argv[1]).read_bytes()
        elif self.kept is None:
            return Completed(tuple(argv), 1, "", "no crontab for root\n")
        elif stdout := options.get("stdout"):
            stdout.write(self.warning.encode() + self.kept)
        return Completed(tuple(argv), 0, "***" if self.kept else "", self.warning)
