"""Whether continuous archiving keeps up, for `inv health`."""

from datetime import UTC, datetime
from typing import Final

from scripts.backups.archive import age
from scripts.core.checks import Finding, InapplicableError, Status
from scripts.core.settings import Settings
from toolbox.contract.archive import ArchiveStatus

SILENT: Final = 60.0  # seconds; the archiver writes every 5
LAG: Final = 300.0  # seconds: ten times of what is usual
_BASE: Final = 2 * 86_400.0  # seconds: one is made every day
_ALARM: Final = 0.5  # of the limit from which on WAL is given up
_LOG: Final = "inv logs --service archiver"


def finding(
    settings: Settings, found: ArchiveStatus | None, now: datetime | None = None
) -> Finding:
    """WARNING where a moment of the last minutes could not be restored.

    Raises InapplicableError where nothing is to be archived.
    """
    if not settings.archive.wanted:
        raise InapplicableError
    now = now or datetime.now(UTC)
    if not found:
        return _warning("nothing is archived: the archiver has not begun", _LOG)
    if (silent := age(found.time, now)) > SILENT:
        return _warning(f"the archiver has been silent for {_time(silent)}", "inv up")
    if found.waiting_bytes > _ALARM * found.limit_bytes:
        full = f"{found.waiting_bytes / 1e9:.1f} GB of WAL wait, and are given up at"
        reason = f" ({found.problem})" if found.problem else ""
        return _warning(f"{full} {found.limit_bytes / 1e9:.1f} GB{reason}", found.hint or _LOG)
    if found.problem:
        return _warning(found.problem, found.hint or _LOG)
    return _covered(found, now)


def _covered(found: ArchiveStatus, now: datetime) -> Finding:
    if not found.begins:
        return Finding(Status.OK, "the first base backup is on its way")
    if found.gaps and not found.gaps[-1].ends:
        return _warning("WAL is missing: no moment from now on can be restored yet", _LOG)
    for what, until in (("databases", found.until), ("attachments", found.files_until)):
        if not until or (lag := age(until, now)) > LAG:
            since = _time(lag) if until else "the beginning"
            return _warning(f"the {what} have not been archived for {since}", _LOG)
    if found.base and (old := age(found.base.ends, now)) > _BASE:
        return _warning(f"the last base backup is {old / 86_400:.0f} days old", _LOG)
    return Finding(Status.OK, f"up to {_time(age(found.until, now))} ago")


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 2 * 60 else f"{seconds / 60:.0f} min"


def _warning(detail: str, hint: str) -> Finding:
    return Finding(Status.WARNING, detail, hint)
