"""A rotation of the secrets that was interrupted: until it is dealt with, nothing else starts."""

import json
from pathlib import Path
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.settings import Settings

ROTATION: Final = "rotation"  # a folder in secrets/
ROTATION_PLAN: Final = f"{ROTATION}/plan.json"  # it is there from the first change to the last
BEGUN: Final = "begun"  # its `state` as long as files and servers may not agree
MESSAGE: Final = "a rotation of the secrets was interrupted"
HINT: Final = "This undoes or finishes it: inv secrets"


def rotation_in(secrets: Path) -> bool:
    """Whether one was interrupted where files and servers may not agree."""
    try:
        stored = json.loads((secrets / ROTATION_PLAN).read_text())
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True
    return not isinstance(stored, dict) or stored.get("state", BEGUN) == BEGUN


def require_finished(settings: Settings) -> None:
    """Raises OpsError if one was."""
    if rotation_in(settings.secrets_folder):
        raise OpsError(MESSAGE, HINT)
