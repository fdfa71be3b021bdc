"""Whether the repository of backups is there, without opening it."""

import errno
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from scripts.backups import state
from scripts.core import http
from scripts.core.checks import Check, Finding, InapplicableError, Status, run_within
from scripts.core.errors import OpsError
from scripts.core.settings import Settings

# Of an attempt to make a file without a name: whose folder it is, or which file system.
_NOT_ASKED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EISDIR, errno.EOPNOTSUPP})
_OK: Final = Finding(Status.OK)
_MARK: Final = "config"  # restic's: each repository has this file
_SSH: Final = 22
_B2: Final = "https://api.backblazeb2.com/"
_HINT: Final = "BACKUP_REPOSITORY in .env; inv backup.check"
_BROKEN: Final = 500  # a status from here on; any other is an answer, refused though it may be


def finding(settings: Settings, seconds: float) -> Finding:
    """WARNING where the repository, which was there once, does not answer within `seconds`.

    Raises InapplicableError where no backup was made yet, or where only restic could ask: of a
    folder that is another user's, too.
    """
    if not state.repository_was_seen(settings):
        raise InapplicableError
    probe = _probe(settings, seconds)
    if not probe:
        raise InapplicableError
    # A network's folder may hang the process that looks at it.
    rows = run_within([Check("", probe)], seconds)
    if not rows:
        raise InapplicableError
    row = rows[0]
    if row.status is Status.UNKNOWN:
        return Finding(Status.WARNING, f"{_place(settings)}: {row.detail}", _HINT)
    return Finding(row.status, row.detail, row.hint)


def _probe(settings: Settings, seconds: float) -> Callable[[], Finding] | None:
    if not settings.backups_elsewhere:
        return lambda: _of_folder(settings.backup_folder)
    kind, place = settings.backup_repository.partition(":")[0], _place(settings)
    if kind == "sftp":
        return lambda: _of_ssh(place, seconds)
    return (lambda: _of_web(place, seconds)) if place else None


def _place(settings: Settings) -> str:
    """Folder, HOST:PORT or address, without passwords; '' if only restic knows."""
    if not settings.backups_elsewhere:
        return str(settings.backup_folder)
    kind, _, rest = settings.backup_repository.partition(":")
    if kind == "sftp":  # user@host:/folder, or //user@host:port//folder
        parts = urlsplit(f"ssh:{rest}" if rest.startswith("//") else f"ssh://{_short(rest)}")
        return f"{parts.hostname}:{parts.port or _SSH}"
    if kind == "rclone":
        return ""
    if kind == "b2":
        return _B2
    parts = urlsplit(rest if "://" in rest else f"https://{rest}")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "") + "/"


def _short(rest: str) -> str:
    return re.sub(r":[^\]]*$", "", rest)


def _of_folder(folder: Path) -> Finding:
    try:
        (folder / _MARK).stat()
        _write_into(folder)
    except (FileNotFoundError, NotADirectoryError):
        lost = f"there is no repository in {folder} any more"
        return _warning(lost, "is the disk mounted? Else: inv backup --new-repository")
    except PermissionError as error:
        raise InapplicableError from error
    except OSError as error:
        return _warning(f"{folder}: {error.strerror}", "look at the disk, then: inv backup.check")
    return _OK


def _write_into(folder: Path) -> None:
    """Raises OSError where nothing can be written.

    Another user's folder is the container's, and a network's may know no files without a name.
    """
    nameless = getattr(os, "O_TMPFILE", 0)
    if not nameless:
        return
    try:
        os.close(os.open(folder, nameless | os.O_WRONLY, 0o600))
    except OSError as error:
        if error.errno not in _NOT_ASKED:
            raise


def _of_web(url: str, seconds: float) -> Finding:
    try:
        status = http.ask("GET", url, headers={}, timeout=seconds).status
    except OpsError as error:
        # Whom restic trusts is its own affair (secrets/backup/).
        answers = type(error.__cause__).__name__ == "SSLError"
        return _OK if answers else _warning(error.message, _HINT)
    return _OK if status < _BROKEN else _warning(f"{url} answers with status {status}", _HINT)


def _of_ssh(place: str, seconds: float) -> Finding:
    host, _, port = place.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), seconds) as connection:
            connection.settimeout(seconds)
            greeting = connection.recv(4)
    except OSError as error:
        return _warning(f"{place} gives no answer: {error.strerror or error}", _HINT)
    return _OK if greeting == b"SSH-" else _warning(f"{place} answers with something else", _HINT)


def _warning(detail: str, hint: str) -> Finding:
    return Finding(Status.WARNING, detail, hint)
