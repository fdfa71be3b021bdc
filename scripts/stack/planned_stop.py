"""That `inv down` has stopped the platform: nobody is to be alarmed about what was meant to be."""

from pathlib import Path
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.files import make_folder, write_atomic
from scripts.core.settings import Settings
from scripts.stack.compose import Stack

_FILE: Final = "stopped"


def remember(stack: Stack) -> None:
    """The platform was stopped on purpose; what cannot be written is an alarm too many."""
    if stack.runner.dry:
        return
    try:
        make_folder(stack.settings.state_folder)
        write_atomic(_path(stack.settings), b"")
    except OpsError:
        return


def forget(settings: Settings) -> None:
    """The platform is to run again."""
    _path(settings).unlink(missing_ok=True)


def lasts(stack: Stack) -> bool:
    """Whether it was stopped on purpose, and has no container since, however one was started."""
    if not _path(stack.settings).exists():
        return False
    try:
        if not stack.services():
            return True
    except OpsError:  # an engine that does not answer is none of that
        return False
    forget(stack.settings)
    return False


def _path(settings: Settings) -> Path:
    return settings.state_folder / _FILE
