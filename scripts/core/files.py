"""Writing files so that a crash leaves the old content or the new, never half."""

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from scripts.core.errors import OpsError


def write_new(path: Path, data: bytes, mode: int) -> bool:
    """As write_atomic, but an existing `path` is kept; returns False then."""
    try:
        _write_beside(path, data, mode, os.link)
    except FileExistsError:
        return False
    except OSError as error:
        raise _cannot_write(path, error) from error
    return True


def write_atomic(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace `path` by `data`; the file has `mode` from its first byte on.

    Raises OpsError where the disk is full or the folder cannot be written.
    """
    try:
        _write_beside(path, data, mode, os.replace)
    except OSError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: OSError) -> OpsError:
    return OpsError(
        f"cannot write {path}: {error.strerror}",
        "Free some disk space or fix the permissions, then run it again; "
        "the previous content is untouched.",
    )


def _write_beside(
    path: Path, data: bytes, mode: int, publish: Callable[[str, Path], object]
) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(stream.fileno(), mode)  # mkstemp began with 0600
            _share(stream.fileno(), path.parent)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        publish(name, path)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()


def _share(made: int | Path, folder: Path) -> None:
    """Give what root has made to the owner of the folder it is in, who may work there, too."""
    if os.geteuid() == 0:
        owner = folder.stat()
        with suppress(OSError):  # a file system without owners
            os.chown(made, owner.st_uid, owner.st_gid)


def make_folder(path: Path, mode: int = 0o755) -> None:
    """Make the folder `path`, and those above that are missing, unless they are there."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(mode=mode, exist_ok=True)
        _share(path, path.parent)


def make_open_folder(path: Path) -> None:
    """Make the folder `path`, for every user to read whatever the umask, unless it is there.

    Raises OpsError where that fails.
    """
    try:
        if not path.is_dir():
            make_folder(path)
            path.chmod(0o755)
    except OSError as error:
        raise OpsError(f"cannot make the folder {path}: {error.strerror}") from error


def make_private_folder(path: Path) -> None:
    """Make sure `path` is a folder that only its owner can enter (0700)."""
    try:
        make_folder(path, 0o700)
        path.chmod(0o700)
    except OSError as error:
        raise OpsError(
            f"cannot make the folder {path}: {error.strerror}",
            "Its name may be taken by a file, or it may belong to another user.",
        ) from error


def digest(paths: Iterable[Path], root: Path, *salt: str) -> str:
    """SHA-256 over names, modes and contents of `paths`, and over `salt`, in hex."""
    total = hashlib.sha256("\0".join(salt).encode())
    for path in sorted(paths):
        executable = os.access(path, os.X_OK)
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(root)} {executable} {content}\n".encode())
    return total.hexdigest()


def _open_lock(path: Path) -> TextIO:
    try:
        make_folder(path.parent)
        stream = path.open("a+")
        _share(stream.fileno(), path.parent)
        return stream
    except OSError as error:
        raise OpsError(
            f"cannot write {path}: {error.strerror}",
            "Free some disk space, or run this as the user who owns the project.",
        ) from error


class LockedError(OpsError):
    """Somebody else holds a lock."""


@contextmanager
def file_lock(path: Path, doing: str) -> Iterator[None]:
    """Hold the lock file `path`; raises LockedError naming the holder if it is taken.

    The kernel lets go of the lock when the process ends, however it ends.
    """
    with _open_lock(path) as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(
                f"{_holder(stream)} is still running", "Wait for it to end, then run this again."
            ) from None
        stream.truncate(0)
        with suppress(OSError):  # on a full disk it is held by nobody known
            os.write(stream.fileno(), f"`inv {doing}` (process {os.getpid()})".encode())
        try:
            yield
        finally:
            stream.truncate(0)


def _holder(stream: TextIO) -> str:
    """Who wrote into the lock file; it is empty for a moment after it was taken."""
    for _ in range(10):
        stream.seek(0)
        if name := stream.read().strip():
            return name
        time.sleep(0.05)
    return "another command"
