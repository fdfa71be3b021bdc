"""What a disaster drill has found: a record for each, in `.state/disaster/`."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from scripts.core.errors import WarningError
from scripts.core.files import make_folder, write_atomic
from scripts.core.settings import Settings

NOT_PROVEN: Final = (
    "images were at hand: pulling or building them is not part of the time",
    "DNS, and a certificate of an authority",
    "another machine, its network and its speed",
    "the saved .env (inv restore --configuration), and passwords of other services",
    "the code of modules: it was copied from this folder",
)


@dataclass(frozen=True)
class Certificate:
    """One drill. Times are ISO 8601, in UTC."""

    started: str
    project: str
    source: str  # the backup or the moment that was restored
    archive: str  # of continuous archiving, where one was named
    last_transaction: str  # that is in the restored database; of a backup, its time
    rto_seconds: float  # from the start to a login page
    rpo_seconds: float | None  # from the last transaction to the start; None if none is known
    missing_files: int  # attachments without a whole file
    steps: dict[str, float]  # seconds of each
    not_proven: tuple[str, ...] = NOT_PROVEN

    @property
    def line(self) -> str:
        """For people."""
        lost = "unknown" if self.rpo_seconds is None else f"{self.rpo_seconds:.0f} s"
        return (
            f"Restored {self.source} from the repository and the key alone: a login page after"
            f" {self.rto_seconds:.0f} s (RTO), last transaction {lost} before the start (RPO),"
            f" {self.missing_files} attachments without a file"
        )

    @property
    def lines(self) -> list[str]:
        """For people: the result, and what it does not prove."""
        return [self.line, *(f"Not proven: {text}" for text in self.not_proven)]


def warn(found: Certificate) -> None:
    """Raises WarningError where attachments have no file."""
    if found.missing_files:
        said = f"{found.missing_files} attachments have no whole file in what was restored"
        raise WarningError(said, "inv backup.check --data")


def save(settings: Settings, found: Certificate) -> Path:
    """Write the certificate, and return its path; raises OpsError where that is impossible."""
    folder = settings.state_folder / "disaster"
    make_folder(folder)
    place = folder / f"{found.started.replace(':', '').replace('+0000', 'Z')}.json"
    value = {"result": found.line, **asdict(found)}
    write_atomic(place, (json.dumps(value, indent=2) + "\n").encode())
    return place
