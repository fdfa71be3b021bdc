"""Attachments whose file is lost: in a backup, and in what runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scripts.backups import service
from scripts.core.errors import OpsError, WarningError
from scripts.core.report import Reporter
from scripts.stack import database_names
from scripts.stack.compose import Stack
from toolbox.contract.backups import FilestoreReport, LostFile, Manifest, UnusedFile

_SHOWN: Final = 3
REPAIR: Final = (
    "Put them back from an older backup (inv restore ID --to-database NAME restores it beside the"
    " live one), or delete those records in Odoo."
)
HINT: Final = "Which ones, and of what records: inv files.check"


def warning(manifest: Manifest) -> str:
    """The text of the warning about them, '' where the backup has all of them."""
    names = [f"{name} ({reason})" for name, reason in manifest.files.lost.items()]
    if not names:
        return ""
    shown = ", ".join([*names[:_SHOWN], "…"] if len(names) > _SHOWN else names)
    return f"{len(names)} attachments have no whole file in the backup {manifest.id}: {shown}"


def warn(manifest: Manifest) -> None:
    """Raises WarningError if there are any."""
    if said := warning(manifest):
        raise WarningError(said, HINT)


def details(manifest: Manifest) -> list[str]:
    """Lines of `inv backup.show`."""
    return [f"Lost:       {name}: {reason}" for name, reason in manifest.files.lost.items()]


@dataclass(frozen=True)
class Report:
    """The filestore of a database, compared with its rows."""

    database: str
    attachments: int  # files that rows name
    lost: Sequence[LostFile]
    unused: Sequence[UnusedFile]

    @property
    def lines(self) -> list[str]:
        """For people."""
        found = [f"{file.file}: {file.reason}; {', '.join(file.records)}" for file in self.lost]
        marked = sum(file.marked for file in self.unused)
        size = sum(file.bytes for file in self.unused) / 1e6
        return [
            *found,
            f"{self.attachments} files in {self.database}: {len(self.lost)} lost; besides them"
            f" {len(self.unused)} that no attachment names ({size:.1f} MB), {marked} of which"
            " Odoo's next clean-up removes",
        ]


def require_all(found: Report) -> None:
    """Raises OpsError where files of attachments are lost."""
    if found.lost:
        raise OpsError(f"{len(found.lost)} files of attachments are lost", REPAIR)


def check(stack: Stack, reporter: Reporter, database: str, *, data: bool) -> Report:
    """Compare rows and files of `database`, the platform's own if empty; nothing is changed.

    With `data` every file is read. A file that came within the last hour, and that no attachment
    names yet, may be of an upload under way and is not counted.
    """
    service.prepare(stack, reporter)
    database_names.require(stack, database)
    name = database or stack.settings.database
    command = ["files", "--database", name, *(["--data"] if data else [])]
    with reporter.step("Comparing files with attachments"):
        found = service.ask(stack, reporter, service.MAKE, *command, kind=FilestoreReport)
    return Report(name, found.attachments, found.lost, found.unused)
