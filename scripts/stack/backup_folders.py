"""The folders that containers of backups mount: nobody else may read them."""

from scripts.core.files import make_private_folder
from scripts.core.settings import Settings


def make(settings: Settings) -> None:
    """Make those that are missing, before Docker does, which would let everybody in.

    Raises OpsError where that is impossible.
    """
    make_private_folder(settings.secrets_folder / "backup")
    if not settings.backups_elsewhere and not settings.backup_folder.is_dir():
        make_private_folder(settings.backup_folder)
