"""Continuous archiving: the records that are exchanged as JSON. Times are ISO 8601, in UTC."""

from dataclasses import dataclass
from typing import Final

from toolbox.contract.backups import StagedBackup

STATUS: Final = "/var/lib/archive/status.json"  # in `archiver` and `odoo_db`
TIME, TRANSACTION = "time", "xid"  # what a moment is told by


@dataclass(frozen=True, kw_only=True)
class Gap:
    """From when to when WAL was given up; `ends` is '' until a base backup was made after it."""

    begins: str
    ends: str = ""
    segment: str = ""  # the last one before it


@dataclass(frozen=True, kw_only=True)
class BaseBackup:
    """A physical backup of the whole server, from which a restore to a moment begins."""

    label: str
    kind: str  # full, or incr
    begins: str
    ends: str  # moments before it cannot be reached by this one
    bytes: int
    added: int  # to the repository, compressed
    segment: str = ""  # of WAL, the first that it needs
    next_transaction: int = 0  # this one and later ones began after it; 0 if unknown


@dataclass(frozen=True, kw_only=True)
class ArchiveStatus:
    """What the archiver knows."""

    time: str  # when it was written
    archive: str = ""  # the name of this server's own in the repository
    problem: str = ""
    hint: str = ""
    begins: str = ""  # the first moment that can be restored; '' if none can
    until: str = ""  # the last one, of the databases
    files_until: str = ""  # up to which the attachments are saved
    pushed: str = ""  # when the last segment of WAL was archived
    segment: str = ""  # its name
    waiting: int = 0  # segments of WAL that are not archived yet
    waiting_bytes: int = 0
    limit_bytes: int = 0  # of those, from which on they are given up
    base: BaseBackup | None = None  # the last one
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ArchiveInfo:
    """One archive in the repository: that of one server."""

    name: str
    postgresql: str
    bases: tuple[BaseBackup, ...]


@dataclass(frozen=True, kw_only=True)
class StagedMoment(StagedBackup):
    """A database as it was at a moment, staged."""

    moment: str  # that was asked for; '' for the last one there is
    reached: bool  # False: the archive ends before it
    last_commit: str  # the last transaction that is in it; '' if none was found after the base
    recovery_seconds: float = 0.0
    with_files: bool = True


@dataclass(frozen=True, kw_only=True)
class ArchiveCheck:
    """The archive is whole."""

    archives: int
    bases: int
    segments: int
