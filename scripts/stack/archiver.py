"""The container that archives continuously."""

from typing import Final

from scripts.core.archive_settings import PROFILE
from scripts.core.settings import Environment
from scripts.stack.compose import Stack

_SERVICE: Final = "archiver"


def remove_unwanted(stack: Stack) -> None:
    """Remove it where it archived for production, and development is to start.

    Compose leaves a service alone whose profile is off; it would keep the networks in use, too.
    """
    settings = stack.settings
    if settings.environment is Environment.PROD or settings.archive.wanted:
        return
    if any(found.service == _SERVICE and not found.oneoff for found in stack.services()):
        remove = ["--profile", PROFILE, "rm", "--stop", "--force", _SERVICE]
        stack.run(*remove, timeout=60, changes=True)


def restart(stack: Stack) -> None:
    """Have it begin again, if it runs: with another key, or in another repository."""
    if any(s.service == _SERVICE and not s.oneoff and not s.stopped for s in stack.services()):
        stack.run("restart", _SERVICE, timeout=120, check=False, changes=True)
