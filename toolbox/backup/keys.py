"""The key of the repository, exchanged: the new one is added and tried, then the old one goes.

Both are in files of secrets/rotation/, which `inv secrets.rotate` mounts. Each step may be
repeated: a run that was killed is taken up by the next.
"""

import json
import secrets
import tempfile
from pathlib import Path
from typing import Any

from toolbox.backup import restic

OLD = Path("/run/rotation/old/backup_key.txt")
NEW = Path("/run/rotation/new/backup_key.txt")


def add() -> dict[str, Any]:
    """Let the new key open the repository, and see that it does."""
    with_key(OLD)
    restic.unlock()
    if not opens(NEW):
        with_key(OLD)
        restic.run("key", "add", "--new-password-file", str(NEW))
    with_key(NEW)
    restic.run("cat", "config")
    return {"added": True}


def undo() -> dict[str, Any]:
    """Remove the new key, if it was added."""
    return {"removed": _remove(NEW, by=OLD)}


def finish() -> dict[str, Any]:
    """Remove the old key, if it is still there."""
    return {"removed": _remove(OLD, by=NEW)}


def exists() -> dict[str, Any]:
    """Whether there is a repository, for somebody who has no key: a made-up one is tried."""
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
    with_key(key)
    known = json.loads(restic.run("key", "list", "--json", "--no-lock"))
    [name] = [found["id"] for found in known if found["current"]]
    with_key(by)
    restic.unlock()
    restic.run("key", "remove", name)
    return True


def with_key(key: Path) -> None:
    """Have restic use the key in that file from now on."""
    restic.KEY = key


def opens(key: Path) -> bool:
    """Whether the key in that file opens the repository."""
    with_key(key)
    return bool(restic.run("cat", "config", "--no-lock", accept=(0, restic.WRONG_KEY)))
