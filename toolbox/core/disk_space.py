"""Free space on the file systems that will hold what is made.

PostgreSQL crashes when there is no space for its own log. So space is required beforehand,
with a reserve for what is live, and watched while something grows.
"""

import os
import shutil
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from toolbox.core import postgres
from toolbox.core.errors import Failure

# PostgreSQL's volume, mounted read-only for this purpose alone; empty where that is elsewhere.
DATABASE = Path("/database")
_RESERVE = 1 << 30  # bytes, but a tenth of a small file system
_LOOK_SECONDS = 0.5
_MEGA = 1e6
_HINT = "Make room there, and restore again."


class NoSpaceError(Failure):
    """There is no space for something that may be fine otherwise."""


def reserve(place: Path) -> int:
    """Bytes of the file system of `place` that a restore leaves free."""
    return min(_RESERVE, shutil.disk_usage(place).total // 10)


def free(place: Path) -> int:
    """Bytes that are free on the file system of `place`."""
    return shutil.disk_usage(place).free


def require(wanted: Sequence[tuple[Path, int]], what: str, hint: str = _HINT) -> None:
    """Raises NoSpaceError unless each file system has space for all that will be on it.

    `wanted` are places and bytes; places on one file system share its space. A place that
    is not mounted here is skipped.
    """
    by_device: dict[int, int] = defaultdict(int)
    places = [(place, size) for place, size in wanted if _is_used(place)]
    for place, size in places:
        by_device[place.stat().st_dev] += size
    for place, _ in places:
        usage, size = shutil.disk_usage(place), by_device[place.stat().st_dev]
        if size and usage.free < size + reserve(place):
            raise NoSpaceError(
                f"{_name(place)} has no room for {what}: {usage.free / _MEGA:.1f} MB are free,"
                f" {(size + reserve(place)) / _MEGA:.1f} MB wanted",
                hint,
            )


def _is_used(place: Path) -> bool:
    return place.exists() and not (place == DATABASE and postgres.external())


def _name(place: Path) -> str:
    return "PostgreSQL's volume" if place == DATABASE else f"the file system of {place}"


class Watch:
    """While the block lasts: calls `stop` once, as soon as a place has only its reserve left.

    Leaving the block raises NoSpaceError then, even if something else was raised in it.
    """

    def __init__(self, places: Sequence[Path], stop: Callable[[], None]) -> None:
        self._places = [place for place in places if _is_used(place)]
        self._stop = stop
        self._over = threading.Event()
        self._low = ""
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if self._low:
            raise NoSpaceError(self._low, _HINT)

    def _look(self) -> None:
        try:
            while not self._over.wait(_LOOK_SECONDS):
                if any(self._is_low(place) for place in self._places):
                    self._stop()
                    return
        except BaseException as error:
            # Otherwise what grows would go on unwatched, until the disk is full.
            self._end(error)

    def _is_low(self, place: Path) -> bool:
        free = os.statvfs(place)
        left = free.f_bavail * free.f_frsize
        if left >= reserve(place):
            return False
        self._low = (
            f"{_name(place)} is nearly full ({left / _MEGA:.1f} MB are free):"
            " the restore was stopped"
        )
        return True

    def _end(self, error: BaseException) -> None:
        try:
            what = self._low or "the free space cannot be read"
            print(f"error: {what} ({error!r})", file=sys.stderr, flush=True)
        finally:
            os._exit(1)
