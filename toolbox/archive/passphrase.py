"""The passphrase of the archive: made once, and kept in restic's repository of the backups.

So the key of that repository opens the archive as well, and may be replaced
(`inv secrets.rotate`): what pgBackRest has written cannot be encrypted a second time.
"""

import secrets

from toolbox.backup import repository, restic
from toolbox.core.errors import Failure

_TAG = "part=archive-passphrase"
_FILE = "/archive-passphrase"
_BYTES = 48


def find() -> str:
    """The passphrase of the repository. Raises Failure where there is none yet."""
    if not (found := sorted(restic.snapshots(_TAG), key=lambda s: str(s["time"]))):
        raise Failure(
            "there is no continuous archive in this repository",
            "BACKUP_CONTINUOUS=true in .env, then: inv up",
        )
    return restic.run("dump", "--no-lock", found[0]["id"], _FILE).strip()


def find_or_make(*, existing: bool) -> str:
    """The same; a repository and a passphrase are made where there are none.

    With `existing` there has to be a repository: a disk that is not mounted looks like an
    empty folder.
    """
    repository.require_repository(existing=existing)
    if not restic.snapshots(_TAG):
        tags = ["--tag", _TAG, "--host", "archive"]
        given = secrets.token_urlsafe(_BYTES).encode()
        restic.run("backup", *tags, "--stdin", "--stdin-filename", _FILE, stdin=given)
    return find()  # the first, if two have made one at once
