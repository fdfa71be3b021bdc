"""Times of which no moment can be restored: WAL between them is not in the archive."""

import json
import os
import threading
from typing import Any

from toolbox.archive.places import GAPS
from toolbox.contract.archive import Gap
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


def begin(since: str, why: str) -> None:
    """Remember one from `since` on, unless one is open already."""
    with _lock:
        found = known()
        if not found or found[-1].ends:
            log(f"error: {why}: a new base backup has to be made")
            _store((*found, Gap(begins=since)))


def end(begun: str, ends: str) -> None:
    """A base backup, begun at `begun`, ends the one that was open then."""
    with _lock:
        found = known()
        if found and not found[-1].ends and found[-1].begins <= begun:
            _store((*found[:-1], Gap(begins=found[-1].begins, ends=ends)))


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


def _number(name: str) -> int:
    return int(name[8:16], 16) * _SEGMENTS + int(name[16:24], 16)
