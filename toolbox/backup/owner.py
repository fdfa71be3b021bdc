"""The owner of files that are written here as root: that of their folder has to read them."""

import os
from collections.abc import Iterator
from pathlib import Path

from toolbox.backup import restic

_PROJECT = Path(__file__).parents[1]  # toolbox/, which is mounted from there and has its owner
_PARTS = ("config", "data", "index", "keys", "locks", "snapshots")  # of a repository of restic's


def expected(folder: Path) -> tuple[int, int]:
    """User and group for what lies in `folder`: its own, or the project's where it is root's.

    Docker makes a folder that is missing, as root, wherever the project is.
    """
    status = folder.stat() if folder.stat().st_uid else _PROJECT.stat()
    return status.st_uid, status.st_gid


def apply(folder: Path = restic.LOCAL, since: float = 0.0) -> None:
    """Make that user the owner of the repository in `folder`, of files from before as well.

    With `since` (seconds since 1970) only of folders in which something has changed since then.
    Where the file system has no owners of its own (a folder of macOS, some network drives),
    they stay what they are.
    """
    if restic.is_remote():
        return
    try:
        wanted = expected(folder)
        for place in _repository(folder, since):
            _change(place, wanted)
    except OSError:
        return


def _change(place: Path, wanted: tuple[int, int]) -> None:
    try:
        status = place.lstat()
        if (status.st_uid, status.st_gid) != wanted:
            os.chown(place, *wanted, follow_symlinks=False)
    except FileNotFoundError:  # another run has removed its lock
        return


def _repository(folder: Path, since: float) -> Iterator[Path]:
    yield folder
    for part in _PARTS:
        yield folder / part
        for parent, folders, names in os.walk(folder / part):
            yield from (Path(parent, name) for name in folders)
            if Path(parent).stat().st_mtime >= since:
                yield from (Path(parent, name) for name in names)
