"""Attachments whose file is lost: in a backup, and in what runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from scripts.backups import service
from scripts.core.errors import WarningError
from scripts.core.report import Reporter
from scripts.stack.compose import Stack

_SHOWN: Final = 3
REPAIR: Final = (
    "Put them back from an older backup (inv restore ID --to-database NAME restores it beside the"
    " live one), or delete those records in Odoo."
)
HINT: Final = "Which ones, and of what records: inv files.check"


def lost(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The files that the backup has not, or not whole, and why not; by their name in filestore/."""
    found: dict[str, str] = manifest["files"].get("lost", {})
    return found


def warning(manifest: Mapping[str, Any]) -> str:
    """The text of the warning about them, '' where the backup has all of them."""
    names = [f"{name} ({reason})" for name, reason in lost(manifest).items()]
    if not names:
        return ""
    shown = ", ".join(names[:_SHOWN]) + ", …" * (len(names) > _SHOWN)
    return f"{len(names)} attachments have no whole file in the backup {manifest['id']}: {shown}"


def warn(manifest: Mapping[str, Any]) -> None:
    """Raises WarningError if there are any."""
    if said := warning(manifest):
        raise WarningError(said, HINT)


def details(manifest: Mapping[str, Any]) -> list[str]:
    """Lines of `inv backup.show`."""
    return [f"Lost:       {name}: {reason}" for name, reason in lost(manifest).items()]


@dataclass(frozen=True)
class Report:
    """The filestore of a database, compared with its rows."""

    database: str
    attachments: int  # files that rows name
    lost: list[dict[str, Any]]  # file, reason, and the records that name it
    unused: list[dict[str, Any]]  # file, bytes, and whether Odoo is going to remove it

    @property
    def lines(self) -> list[str]:
        """For people."""
        found = [
            f"{row['file']}: {row['reason']}; {', '.join(row['records'])}" for row in self.lost
        ]
        marked = sum(row["marked"] for row in self.unused)
        size = sum(row["bytes"] for row in self.unused) / 1e6
        return [
            *found,
            f"{self.attachments} files in {self.database}: {len(self.lost)} lost; besides them"
            f" {len(self.unused)} that no attachment names ({size:.1f} MB), {marked} of which"
            " Odoo's next clean-up removes",
        ]


def check(stack: Stack, reporter: Reporter, database: str, *, data: bool) -> Report:
    """Compare rows and files of `database`, the platform's own if empty; nothing is changed.

    With `data` every file is read. A file that came within the last hour, and that no attachment
    names yet, may be of an upload under way and is not counted.
    """
    service.prepare(stack, reporter)
    name = database or stack.settings.database
    command = ["files", "--database", name, *(["--data"] if data else [])]
    with reporter.step("Comparing files with attachments"):
        found = service.ask(stack, reporter, service.MAKE, *command)
    return Report(name, found["attachments"], found["lost"], found["unused"])
