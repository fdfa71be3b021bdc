"""What restore tests have found: a record for each backup, in `.state/`."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from scripts.core.errors import WarningError
from scripts.core.files import make_folder, write_atomic
from scripts.core.settings import Settings


@dataclass(frozen=True)
class VerificationRecord:
    """What the restore test of a backup has found, and when."""

    id: str
    verified: str
    database: str
    odoo: str
    rows: int
    tables: int
    files: int  # that attachments name
    lost: int  # of those, the ones that the backup has not, or not whole
    login: str
    downloads: int
    seconds: float
    moment: str = ""  # of continuous archiving, which was restored as well

    @property
    def line(self) -> str:
        """For people."""
        return (
            f"Backup {self.id} works: {self.rows} rows in {self.tables} tables and"
            f" {self.files - self.lost} files as in the manifest, Odoo {self.odoo} started,"
            f" {self.login!r} logged in, {self.downloads} attachments downloaded"
            + (f"; so does the moment {self.moment}" if self.moment else "")
            + f" ({self.seconds:.0f} s)"
        )


def warn(record: VerificationRecord) -> None:
    """Raises WarningError for a backup that works, and lacks files of attachments."""
    if record.lost:
        said = f"{record.lost} attachments have no whole file in that backup"
        raise WarningError(said, f"inv backup.show {record.id}")


def folder(settings: Settings) -> Path:
    """Where the records are, a file for each backup."""
    return settings.state_folder / "verified"


def save(settings: Settings, record: VerificationRecord) -> None:
    """Remember `record`; raises OpsError where that is impossible."""
    place = folder(settings)
    make_folder(place)
    text = json.dumps(asdict(record), indent=2) + "\n"
    write_atomic(place / f"{record.id}.json", text.encode())
