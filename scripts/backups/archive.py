"""What continuous archiving covers."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from scripts.backups.moments import Moment
from scripts.core.errors import OpsError, UsageError
from scripts.stack.compose import Stack
from toolbox.contract.archive import STATUS, TIME, ArchiveStatus, Gap, StagedMoment
from toolbox.contract.codec import from_json

_SEE: Final = "See: inv backup.archive"


def status(stack: Stack) -> ArchiveStatus | None:
    """What the archiver has written; None where there is nothing, or PostgreSQL does not run."""
    done = stack.exec("odoo_db", "cat", STATUS)
    return read(done.stdout) if done.ok else None


def read(text: str) -> ArchiveStatus | None:
    """The same of what it has written."""
    try:
        return from_json(ArchiveStatus, text)
    except ValueError:
        return None


def require(found: ArchiveStatus | None, moment: Moment) -> None:
    """Raises OpsError where it is known that the moment cannot be restored."""
    if not found or moment.kind != TIME:
        return
    if not found.begins:
        raise OpsError("no moment can be restored yet: there is no base backup", _SEE)
    if moment.text < found.begins:
        first = shown(found.begins)
        raise UsageError(
            f"{moment.shown} is before the first moment that can be restored, {first}",
            "Older ones: inv backup.list",
        )
    for gap in found.gaps:
        if gap.begins < moment.text and (not gap.ends or moment.text < gap.ends):
            raise OpsError(
                f"{moment.shown} cannot be restored: {_gap(gap)}",
                "Take a moment before or after it, or a backup: inv backup.list",
            )


def remark(found: StagedMoment) -> str:
    """Whether the archive ends before the moment, for people; '' if it does not."""
    if found.reached or not found.moment:
        return ""
    last = f"its last transaction is of {shown(found.last_commit)}" if found.last_commit else ""
    return f"The archive has no transaction after that moment{'; ' * bool(last)}{last}"


def summary(stack: Stack) -> list[str]:
    """One line for `inv backup.list`; none where nothing is to be archived."""
    if not stack.settings.archive.wanted:
        return []
    return [lines(status(stack))[0].replace("Covered:     any", "And any")]


def lines(found: ArchiveStatus | None) -> list[str]:
    """For people."""
    if not found:
        return ["Nothing is archived: BACKUP_CONTINUOUS is off, or the archiver has not begun"]
    covered = "no moment yet: a base backup has to be made first"
    if found.begins:
        covered = f"any moment from {shown(found.begins)} to {shown(found.until)}"
    base = found.base
    return [
        f"Covered:     {covered}",
        *(f"Gap:         {_gap(gap)}" for gap in found.gaps),
        f"Attachments: saved up to {shown(found.files_until)}",
        *([f"Last base:   {base.label} ({base.kind}), {shown(base.ends)}"] if base else []),
        f"Waiting:     {found.waiting} segments of WAL ({found.waiting_bytes / 1e6:.0f} MB of"
        f" {found.limit_bytes / 1e6:.0f} MB)",
        f"Archive:     {found.archive}",
        *([f"Problem:     {found.problem}"] if found.problem else []),
    ]


def _gap(gap: Gap) -> str:
    end = shown(gap.ends) if gap.ends else "the next base backup"
    return f"there is no WAL from {shown(gap.begins)} to {end}"


def shown(stamp: str) -> str:
    """A time of a record, in the zone of this machine."""
    if not stamp:
        return "never"
    return f"{datetime.fromisoformat(stamp).astimezone():%Y-%m-%d %H:%M:%S %Z}"


def age(stamp: str, now: datetime | None = None) -> float:
    """Seconds since a time of a record."""
    return ((now or datetime.now(UTC)) - datetime.fromisoformat(stamp)).total_seconds()


def windows(found: ArchiveStatus) -> Sequence[tuple[str, str]]:
    """From when to when any moment can be restored, the oldest first."""
    if not found.begins:
        return []
    pieces, begin = [], found.begins
    for gap in found.gaps:
        if gap.begins > begin:
            pieces.append((begin, gap.begins))
        if not gap.ends:
            return pieces
        begin = max(begin, gap.ends)
    return [*pieces, (begin, found.until)] if found.until > begin else pieces


def choose(found: ArchiveStatus, share: float) -> Moment | None:
    """A moment that can be restored, `share` (0 to 1) of their time after the first; None for none.

    Both databases and attachments of it are archived.
    """
    last = min(found.until, found.files_until)
    spans = [(a, min(b, last)) for a, b in windows(found) if min(b, last) > a]
    left = share * sum(age(begin) - age(end) for begin, end in spans)
    for begin, end in spans:
        length = age(begin) - age(end)
        if left <= length:
            time = datetime.fromisoformat(begin) + timedelta(seconds=left)
            return Moment(time.isoformat(timespec="seconds"), time=time.astimezone())
        left -= length
    return None
