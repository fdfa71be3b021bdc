"""That `inv down` has stopped the platform: nobody is to be alarmed about what was meant to be."""

import os
from contextlib import suppress
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


def forget(stack: Stack) -> None:
    """The platform is to run again."""
    if not stack.runner.dry:
        with suppress(OSError):  # another user's folder: nothing that keeps it from running
            _path(stack.settings).unlink(missing_ok=True)


def lasts(stack: Stack) -> bool:
    """Whether it was stopped on purpose, and has no container since, however one was started."""
    if not os.access(_path(stack.settings), os.F_OK):  # as if there were none, where it is hidden
        return False
    try:
        # One-off ones, as those of backups, come and go without the platform.
        runs = any(not service.oneoff for service in stack.services())
    except OpsError:  # an engine that does not answer is none of that
        return False
    if runs:
        forget(stack)
    return not runs


def _path(settings: Settings) -> Path:
    return settings.state_folder / _FILE
