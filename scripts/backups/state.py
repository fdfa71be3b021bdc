"""What is remembered between two backups: that there was a repository, and who has its key."""

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Final

from scripts.core.errors import OpsError, UsageError
from scripts.core.files import make_folder, write_atomic
from scripts.core.settings import Settings

KEY_HINT: Final = "Keep what this prints in another place: inv backup.key"
KEY_FILE: Final = "backup_key.txt"  # in secrets/
_KEY_SHOWN: Final = "backup-key-shown"
_REPOSITORY: Final = "backup-repository"


def key(settings: Settings) -> str:
    """The key of the repository, for a place that does not burn down with this machine."""
    path = settings.secrets_folder / KEY_FILE
    if not path.is_file():
        raise UsageError("there is no key yet", "Run: inv secrets")
    text = _value(path)
    with suppress(OpsError):  # a full disk is no reason to keep it back
        _write(settings, _KEY_SHOWN, text)
    return text


def key_was_shown(settings: Settings) -> bool:
    """Whether the key that is in use was printed once."""
    path = settings.secrets_folder / KEY_FILE
    return path.is_file() and _knows(settings, _KEY_SHOWN, _value(path))


def _value(path: Path) -> str:
    """As restic reads it: without the byte order mark and line break of Windows."""
    return path.read_text(encoding="utf-8-sig").strip()


def repository_was_seen(settings: Settings) -> bool:
    """Whether a backup was made where the settings say the repository is."""
    return _knows(settings, _REPOSITORY, _place(settings))


def remember_repository(settings: Settings) -> None:
    """A backup was made where the settings say."""
    if not repository_was_seen(settings):
        _write(settings, _REPOSITORY, _place(settings))


def _place(settings: Settings) -> str:
    elsewhere = settings.backup_repository if settings.backups_elsewhere else ""
    return elsewhere or str(settings.backup_folder.resolve())


def _knows(settings: Settings, name: str, text: str) -> bool:
    path = settings.state_folder / name
    return path.is_file() and path.read_text() == _fingerprint(text)


def _write(settings: Settings, name: str, text: str) -> None:
    make_folder(settings.state_folder)
    write_atomic(Path(settings.state_folder / name), _fingerprint(text).encode())


def _fingerprint(text: str) -> str:
    """Of a key, or of an address that may hold a password: neither is kept twice."""
    return hashlib.sha256(text.encode()).hexdigest() + "\n"
