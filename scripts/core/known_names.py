"""Names that commands have seen last, which the completion of command lines offers.

It has neither the time to open a repository or a database, nor should it: these files are.
"""

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.files import make_folder, write_atomic
from scripts.core.settings import Settings

BACKUPS: Final = "backups"
DATABASES: Final = "databases"
MODULES: Final = "modules"
SNAPSHOTS: Final = "snapshots"
_FOLDER: Final = "known-names"


def remember(settings: Settings, kind: str, names: Iterable[str]) -> None:
    """These are all names of that kind. Nothing fails where they cannot be written."""
    folder = settings.state_folder / _FOLDER
    with suppress(OpsError, OSError):
        make_folder(folder)
        write_atomic(folder / f"{kind}.json", json.dumps(sorted(set(names))).encode())


def add(settings: Settings, kind: str, name: str) -> None:
    """There is one more."""
    remember(settings, kind, [*recall(settings.state_folder, kind), name])


def remove(settings: Settings, kind: str, name: str) -> None:
    """There is one less."""
    known = recall(settings.state_folder, kind)
    remember(settings, kind, [other for other in known if other != name])


def recall(state_folder: Path, kind: str) -> list[str]:
    """The names of that kind, none where none are known."""
    try:
        found = json.loads((state_folder / _FOLDER / f"{kind}.json").read_text())
    except (OSError, ValueError):
        return []
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []
