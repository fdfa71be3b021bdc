"""WAL on its way: what PostgreSQL hands over, by postgres/archive-wal, and waits for.

It leaves a file NAME.want in the folder, and waits for NAME.done or NAME.failed. The folder
belongs to PostgreSQL's container: nothing in it is trusted, and no link followed.
"""

import os
import re
import time
from contextlib import suppress
from pathlib import Path

from toolbox.archive.places import DATA, GIVEN_UP, QUEUE

SEGMENT_BYTES = 16 << 20
_NAME = re.compile(r"[0-9A-F]{8}(\.history|[0-9A-F]{16}(\.[0-9A-F]{8}\.backup|\.partial)?)")
_WANTED, _DONE, _FAILED = ".want", ".done", ".failed"
_STALE_SECONDS = 600.0
_STATUS = DATA / "pg_wal" / "archive_status"  # of each segment, by PostgreSQL


def wanted() -> list[str]:
    """Names of files in pg_wal that are to be archived, in the order of their making."""
    found = []
    with suppress(FileNotFoundError):
        for path in QUEUE.iterdir():
            if path.suffix == _WANTED and _NAME.fullmatch(path.stem):
                # Left by a question that was given up, perhaps of another server: PostgreSQL
                # may be writing that segment still.
                if is_ready(path.stem):
                    found.append(path.stem)
                else:
                    path.unlink(missing_ok=True)
    return sorted(found)


def is_ready(name: str) -> bool:
    """Whether PostgreSQL waits for that one to be archived."""
    return (_STATUS / f"{name}.ready").exists()


def file(name: str) -> Path:
    """Where PostgreSQL has it."""
    return DATA / "pg_wal" / name


def done(name: str) -> None:
    """Tell that it is archived."""
    _answer(name + _DONE, "")
    (QUEUE / (name + _WANTED)).unlink(missing_ok=True)


def failed(name: str, reason: str) -> None:
    """Tell that it could not be archived; PostgreSQL asks again."""
    (QUEUE / (name + _WANTED)).unlink(missing_ok=True)
    _answer(name + _FAILED, reason)


def _answer(name: str, text: str) -> None:
    place = QUEUE / name
    place.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(place, flags, 0o644), "w") as stream:
        stream.write(f"{text}\n" if text else "")


def clear(older_than: float = 0.0) -> None:
    """Remove answers that nobody has waited for, of more than so many seconds ago."""
    with suppress(FileNotFoundError):
        for path in QUEUE.iterdir():
            if path.suffix in (_DONE, _FAILED):
                with suppress(FileNotFoundError):
                    if time.time() - path.lstat().st_mtime >= older_than:
                        path.unlink()


def clear_stale() -> None:
    """The same of those that cannot be waited for any more."""
    clear(_STALE_SECONDS)


def waiting() -> int:
    """Segments that PostgreSQL has closed, and that are not archived yet."""
    with suppress(FileNotFoundError):
        return sum(path.suffix == ".ready" for path in _STATUS.iterdir())
    return 0


def given_up() -> float | None:
    """When postgres/archive-wal began to give WAL up (seconds since 1970); None if it has not."""
    with suppress(OSError, ValueError):
        descriptor = os.open(GIVEN_UP, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor) as stream:
            return float(stream.readline(40))
    return None


def begin_again() -> None:
    """Forget that WAL was given up: a base backup has begun after it."""
    GIVEN_UP.unlink(missing_ok=True)
