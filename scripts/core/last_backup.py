"""What `inv health` tells of the last backup, without opening the repository."""

import json
from typing import Any, Final

from scripts.core.checks import Finding, Status
from scripts.core.files import make_folder, write_atomic
from scripts.core.settings import Settings

_FILE: Final = "last-backup.json"


def remember(settings: Settings, name: str, lost: int) -> None:
    """The backup `name` of the platform's own database was made, without `lost` files."""
    make_folder(settings.state_folder)
    text = json.dumps({"id": name, "lost": lost})
    write_atomic(settings.state_folder / _FILE, text.encode())


def finding(settings: Settings) -> Finding:
    """WARNING if the last backup that `inv` has made here lacks files of attachments."""
    about = _read(settings)
    if not about["lost"]:
        return Finding(Status.OK)
    said = f"{about['lost']} attachments have no whole file in the last backup ({about['id']})"
    return Finding(Status.WARNING, said, "inv files.check, then inv backup")


def name(settings: Settings) -> str:
    """That of the last backup of the platform's own database that was made here; '' for none."""
    return str(_read(settings)["id"])


def _read(settings: Settings) -> dict[str, Any]:
    path = settings.state_folder / _FILE
    found: dict[str, Any] = {"id": "", "lost": 0}
    return found | json.loads(path.read_text()) if path.is_file() else found
