"""What a restore was asked for."""

from dataclasses import dataclass

from scripts.backups.moments import Moment
from scripts.core.errors import UsageError


@dataclass(frozen=True)
class Wanted:
    """A backup, a file or a moment, and what to make of it."""

    source: str = "latest"  # a backup, or a file
    to: str = ""  # the database to make; the platform's own if empty
    of: str = ""  # the database wanted, of a file that holds several or of a moment
    neutralize: bool = False
    at: Moment | None = None  # in the place of `source`
    archive: str = ""  # of another server; with `at`


def validate(wanted: Wanted, *, configuration: bool, undo: bool) -> None:
    """Raises UsageError for what `--undo`, `--configuration` or `--at` would ignore."""
    other = wanted.neutralize or wanted.of or wanted.at or wanted.archive
    if configuration and (undo or other or wanted.to):
        raise UsageError("--configuration goes with a backup and no other option")
    if undo and (wanted.source != "latest" or other):
        raise UsageError("--undo takes no backup, no --neutralize and no --from-database")
    if wanted.at and wanted.source != "latest":
        raise UsageError("--at takes no backup: it is in the place of one")
    if wanted.archive and not wanted.at:
        raise UsageError("--archive goes with --at only")
