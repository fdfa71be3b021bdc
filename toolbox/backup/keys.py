"""Replacing the key of the repository: add and try the new one, then remove the old one.

Both are in files of secrets/rotation/, which `inv secrets.rotate` mounts. Each step may be
repeated: the next run continues one that was killed.
"""

import json
import secrets
import tempfile
from pathlib import Path

from toolbox.backup import restic

OLD = Path("/run/rotation/old/backup_key.txt")
NEW = Path("/run/rotation/new/backup_key.txt")


def add() -> dict[str, bool]:
    """Let the new key open the repository, and see that it does."""
    restic.unlock(OLD)
    if not opens(NEW):
        restic.run("key", "add", "--new-password-file", str(NEW), key=OLD)
    restic.run("cat", "config", key=NEW)
    return {"added": True}


def undo() -> dict[str, bool]:
    """Remove the new key, if it was added."""
    return {"removed": _remove(NEW, by=OLD)}


def finish() -> dict[str, bool]:
    """Remove the old key, if it is still there."""
    return {"removed": _remove(OLD, by=NEW)}


def exists() -> dict[str, bool]:
    """Whether there is a repository, without its key: a random one is tried."""
    with tempfile.NamedTemporaryFile("w") as made_up:
        made_up.write(secrets.token_urlsafe())
        made_up.flush()
        try:
            opens(Path(made_up.name))  # it does not
        except restic.NoRepository:
            return {"exists": False}
    return {"exists": True}


def _remove(key: Path, *, by: Path) -> bool:
    if not opens(key):
        return False
    known = json.loads(restic.run("key", "list", "--json", "--no-lock", key=key))
    [name] = [found["id"] for found in known if found["current"]]
    restic.unlock(by)
    restic.run("key", "remove", name, key=by)
    return True


def opens(key: Path) -> bool:
    """Whether the key in that file opens the repository."""
    accept = (0, restic.WRONG_KEY)
    return bool(restic.run("cat", "config", "--no-lock", accept=accept, key=key))
