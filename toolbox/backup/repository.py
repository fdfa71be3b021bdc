"""Making sure of a repository to write into, and identifying it."""

import hashlib
import os
from functools import cache

from toolbox.backup import restic
from toolbox.core.errors import Failure
from toolbox.core.progress import note


def require_repository(*, existing: bool) -> None:
    """Make sure of a repository, which is created if necessary.

    With `existing` it has to be there: a disk that is not mounted looks like an empty folder.
    """
    restic.require_key()
    if not _is_there():
        if existing:
            raise Failure(
                "the repository of backups no longer exists",
                "Mount its disk. To begin a new one: inv backup --new-repository",
            )
        _initialise()
        return
    restic.unlock()  # a run that died while it pruned keeps even a backup out


def _is_there() -> bool:
    if not restic.is_remote():  # to open it takes restic half a second of computing, for the key
        return (restic.LOCAL / "config").exists()
    try:
        restic.run("cat", "config", "--no-lock")
    except restic.NoRepository:
        return False
    return True


def identity() -> str:
    """Of one repository among those that an installation may have had."""
    place = os.environ.get("BACKUP_REPOSITORY", str(restic.LOCAL))
    # Restic writes it once, and encrypts it with a key of this repository's own.
    config = _remote_config(place) if restic.is_remote() else (restic.LOCAL / "config").read_bytes()
    return hashlib.sha256(place.encode() + config).hexdigest()


@cache
def _remote_config(_place: str) -> bytes:
    return restic.run("cat", "config", "--no-lock").encode()


def _initialise() -> None:
    there = [] if restic.is_remote() else [path.name for path in restic.LOCAL.iterdir()]
    if others := [name for name in there if name[0] != "."]:
        raise Failure(
            f"the folder of backups holds {others[0]!r} but no repository",
            "Set BACKUP_FOLDER to an empty folder, or put the missing files back.",
        )
    restic.run("init")
    note("a new repository was made: only secrets/backup_key.txt opens it")
