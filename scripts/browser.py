"""`inv open`: the platform in a browser."""

import webbrowser

from scripts.core.errors import OpsError
from scripts.stack.compose import Stack


def address(stack: Stack) -> str:
    """Where the platform is; that of the settings where none runs or no engine answers."""
    try:
        return stack.as_running().settings.url
    except OpsError:
        return stack.settings.url


def show(url: str) -> bool:
    """Open `url` in the browser of this machine; False if there is none."""
    try:
        return webbrowser.open(url)
    except webbrowser.Error:
        return False
