"""Backups and restores: the records that are exchanged as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class DatabaseInfo:
    """What a restore wants to know of a database."""

    odoo: str  # the series
    postgresql: str
    modules: Mapping[str, str | None]  # that are installed, and their versions
    collate: str = "C"
    ctype: str = ""
    icu: Mapping[str, str] = field(default_factory=dict)
    collation_version: str | None = None
    extensions: Mapping[str, str] = field(default_factory=dict)
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SavedDump:
    """The dump in a backup."""

    bytes: int
    snapshot: str = ""


@dataclass(frozen=True, kw_only=True)
class SavedFiles:
    """The attachments in a backup."""

    count: int
    bytes: int
    digest: str = ""
    snapshot: str = ""
    lost: Mapping[str, str] = field(default_factory=dict)  # files that it lacks, and why


@dataclass(frozen=True, kw_only=True)
class Manifest(DatabaseInfo):
    """What a backup says of itself. Fields with defaults are missing in older backups."""

    id: str
    created: str
    database: str
    rows: Mapping[str, int]
    dump: SavedDump
    files: SavedFiles
    format: int = 1
    installation: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)  # see core/properties.py
    large_objects: int | None = None
    functions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    unrestorable: str = ""  # why; '' if it can be restored
    pg_dump: str = ""
    restic: str = ""
    guarded_seconds: float = 0.0
    seconds: float = 0.0
    added_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Where in the repository a backup is."""

    snapshots: Mapping[str, str]  # part to snapshot id
    paths: Mapping[str, str]  # part to the path within its snapshot


@dataclass(frozen=True, kw_only=True)
class StoredBackup(Parts):
    """One complete backup as the repository lists it."""

    id: str
    time: str
    database: str
    odoo: str
    installation: str
    bytes: int  # of dump and files, before compression
    added: int  # to the repository, after it
    files: int
    restorable: bool = True  # as far as is known: see backup/proof.py
    lost: int = 0  # attachments whose file it lacks, or has damaged


@dataclass(frozen=True, kw_only=True)
class CreatedBackup(Manifest):
    """A backup that was just made, and with --handle what `stage --handle` takes."""

    handle: str = ""


@dataclass(frozen=True, kw_only=True)
class ShownBackup(Manifest):
    """A backup, and how the repository lists it."""

    stored: StoredBackup


@dataclass(frozen=True, kw_only=True)
class RestoreOffer:
    """A backup, the databases it might replace, and what `stage --handle` takes."""

    backup: ShownBackup
    databases: Mapping[str, int]
    handle: str


@dataclass(frozen=True, kw_only=True)
class SandboxResult:
    """The database that the sandbox hands over, and what is known of it.

    The server that made it executed SQL of unknown origin as superuser: trust nothing in it.
    """

    file: str
    zip: bool
    database: str
    bytes: int
    roles: tuple[str, ...]  # that something in it refers to
    functions: Mapping[str, str]  # volatility of those of extensions, which a dump has not


@dataclass(frozen=True, kw_only=True)
class StageResult:
    """What was staged: databases by name and number, and what is missing of its files."""

    id: str
    databases: Mapping[str, int]
    missing_files: int = 0
    with_files: bool = True  # a dump of a database has none


@dataclass(frozen=True, kw_only=True)
class StagedBackup(Manifest):
    """A backup that was staged: what StageResult says, and its manifest."""

    databases: Mapping[str, int]
    missing_files: int = 0


@dataclass(frozen=True, kw_only=True)
class SwapResult:
    """What is live now."""

    database: str
    replaced: bool
    new_files: int = 0


@dataclass(frozen=True, kw_only=True)
class UndoResult:
    """Whether there was something to go back to."""

    database: str
    restored: bool


@dataclass(frozen=True, kw_only=True)
class ScanResult:
    """The tables that have nothing alive in them, and the databases by name and number."""

    scanned: Sequence[str]
    databases: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """The repository is whole."""

    backups: int


@dataclass(frozen=True, kw_only=True)
class PruneResult:
    """The backups that were forgotten, and how many snapshots of restic's that were."""

    forgotten: Sequence[str]
    snapshots: int


@dataclass(frozen=True, kw_only=True)
class ExportResult:
    """The files that were written."""

    id: str
    written: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class SavedConfiguration:
    """The configuration in a backup: base64 of JSON, so that no secret in it is masked."""

    id: str
    configuration: str


@dataclass(frozen=True, kw_only=True)
class LostFile:
    """A file that attachments name and the filestore does not have whole."""

    file: str
    reason: str
    records: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class UnusedFile:
    """A file that no attachment names."""

    file: str
    bytes: int
    marked: bool  # Odoo's next clean-up removes it


@dataclass(frozen=True, kw_only=True)
class FilestoreReport:
    """A filestore, compared with the attachments of its database."""

    attachments: int
    lost: tuple[LostFile, ...]
    unused: tuple[UnusedFile, ...]


@dataclass(frozen=True, kw_only=True)
class OdooInfo:
    """The Odoo of an image, and the modules that it finds."""

    odoo: str
    modules: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PageShown:
    """The login page was there."""

    status: int


@dataclass(frozen=True, kw_only=True)
class SmokeTestResult:
    """Odoo works on a restored copy."""

    login: str
    downloads: int
