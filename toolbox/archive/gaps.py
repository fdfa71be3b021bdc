"""Times of which no moment can be restored: WAL between them is not in the archive."""

import json
import os
import threading
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from toolbox.archive import queue
from toolbox.archive.places import GAPS
from toolbox.contract.archive import ArchiveInfo, Gap
from toolbox.core.errors import Failure
from toolbox.core.progress import log

_SEGMENTS = 0x100  # of 16 MB, in each 4 GB
_lock = threading.Lock()


def known() -> tuple[Gap, ...]:
    """All that have not become too old, the oldest first."""
    try:
        found: list[dict[str, Any]] = json.loads(GAPS.read_text())
        return tuple(Gap(**each) for each in found)
    except (OSError, ValueError, TypeError):
        return ()


def is_open() -> bool:
    """Whether there is one that no base backup has ended yet."""
    found = known()
    return bool(found) and not found[-1].ends


def begin(since: str, segment: str, why: str) -> None:
    """Remember one from `since` on, after `segment`, unless one is open already."""
    with _lock:
        found = known()
        if not found or found[-1].ends:
            log(f"error: {why}: a new base backup has to be made")
            _store((*found, Gap(begins=since, segment=segment)))


def end(begun: str, ends: str) -> None:
    """A base backup, begun at `begun`, ends the one that was open then."""
    with _lock:
        found = known()
        if found and not found[-1].ends and found[-1].begins <= begun:
            _store((*found[:-1], replace(found[-1], ends=ends)))


def forget(before: str) -> None:
    """Those that ended before the first moment that can be restored."""
    with _lock:
        found = known()
        kept = tuple(gap for gap in found if not gap.ends or not before or gap.ends > before)
        if kept != found:
            _store(kept)


def _store(found: tuple[Gap, ...]) -> None:
    partial = GAPS.with_suffix(".partial")
    with partial.open("w") as stream:
        json.dump([vars(gap) for gap in found], stream)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(GAPS)


def follows(name: str, last: str) -> bool:
    """Whether no segment is missing between `last` and `name`, which may be an older one."""
    if not last or name[:8] != last[:8]:  # the first of a timeline is a copy of the last before it
        return True
    return _number(name) <= _number(last) + 1


def require_none_at(moment: str) -> None:
    """Raises Failure for a time (ISO 8601, UTC) of which it is known that WAL is missing."""
    for gap in known():
        if gap.begins < moment and (not gap.ends or moment < gap.ends):
            raise Failure(
                f"there is no WAL from {gap.begins} to {gap.ends or 'the next base backup'}",
                "Take a moment before or after it, or a backup: inv backup.list",
            )


def lost_since(last: str, current: str) -> bool:
    """Whether a segment after `last` waits no more, and was not archived here: `current` is open.

    It went elsewhere meanwhile, or archiving was off.
    """
    if not last or last[:8] != current[:8]:
        return False
    between = range(_number(last) + 1, _number(current))
    return any(not queue.is_ready(_name(last[:8], number)) for number in between)


def missing(segments: Collection[str], found: ArchiveInfo, known: Sequence[Gap]) -> list[str]:
    """Segments that should be there, from the first base backup on, and are not.

    Those of a `known` gap are not wanted: from its last segment before it to the next base backup.
    """
    absent = []
    bases = sorted(base.segment for base in found.bases if base.segment)
    lines = {name[:8] for name in segments}
    for line in lines:
        numbers = {_number(name) for name in segments if name[:8] == line}
        first = [_number(name) for name in bases if name[:8] == line]
        begin = first[0] if first else min(numbers)
        for number in range(begin, max(numbers) + 1):
            if number not in numbers and not _is_given_up(line, number, bases, known):
                absent.append(_name(line, number))
    return sorted(absent)


def _is_given_up(line: str, number: int, bases: Collection[str], known: Sequence[Gap]) -> bool:
    for gap in known:
        if gap.segment[:8] == line and _number(gap.segment) < number:
            later = [_number(b) for b in bases if b[:8] == line and b > gap.segment]
            if not later or number < later[0]:
                return True
    return False


def _name(line: str, number: int) -> str:
    return f"{line}{number // _SEGMENTS:08X}{number % _SEGMENTS:08X}"


def _number(name: str) -> int:
    return int(name[8:16], 16) * _SEGMENTS + int(name[16:24], 16)
