"""What was told to whom, between two looks: a file in `.state/`, by fingerprints of addresses."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from scripts.core.errors import OpsError
from scripts.core.files import file_lock, make_folder, write_atomic
from scripts.core.settings import Settings
from scripts.health.changes import Told

_FILE: Final = "health-notify.json"
_LOCK: Final = "health-notify.lock"
_FORGOTTEN: Final = 30 * 86_400.0  # seconds without a message, after which an address is
_DIGITS: Final = 16


def fingerprint(address: str) -> str:
    """To know an address by, which may hold a token that is not kept twice."""
    return hashlib.sha256(address.encode()).hexdigest()[:_DIGITS]


def lock(settings: Settings) -> AbstractContextManager[None]:
    """Held by the look that tells; raises LockedError where another one does."""
    return file_lock(settings.state_folder / _LOCK, "health")


def read(settings: Settings) -> dict[str, Told]:
    """What each address knows; nothing where that cannot be read, or is of another version."""
    path = settings.state_folder / _FILE
    try:
        said: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
        return {key: Told.read(told) for key, told in said.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def write(settings: Settings, known: Mapping[str, Told], now: float) -> None:
    """Remember `known`; raises OpsError where that is impossible."""
    kept = {
        key: asdict(told)
        for key, told in known.items()
        if told != Told() and now - max(told.at, told.failing) < _FORGOTTEN
    }
    path = settings.state_folder / _FILE
    content = json.dumps(kept).encode()
    if path.is_file() and path.read_bytes() == content:
        return
    try:
        make_folder(path.parent)
        write_atomic(path, content, 0o600)
    except OpsError:
        _overwrite(path, content)


def _overwrite(path: Path, content: bytes) -> None:
    """Write into the file that is there, which takes no room where the disk is full.

    Otherwise each look would tell the same again, just then. Raises OpsError where there is none.
    """
    try:
        with path.open("r+b") as stream:
            stream.write(content)
            stream.truncate()
    except OSError as error:
        reason = error.strerror
        raise OpsError(f"cannot write {path}: {reason}", "The next look tells it again.") from error
