"""The variables *_IMAGE: which there are, their defaults, and what an installation runs on."""

import re
from pathlib import Path
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.settings import PROJECT, Settings

PULLED: Final = ("POSTGRES_IMAGE", "REDIS_IMAGE", "NGINX_IMAGE", "ODOO_BASE_IMAGE")
# Wanted only by who asks an authority for a certificate, and not in order to start.
CERTBOT: Final = "CERTBOT_IMAGE"
# Wanted in development only, where it takes what Odoo sends.
MAIL_CATCHER: Final = "MAIL_CATCHER_IMAGE"
# What the image of backups is built on: the server's own clients, and a newer restic.
BACKUP: Final = "BACKUP_BASE_IMAGE"
# Wanted by the local Supabase only.
POSTGREST: Final = "POSTGREST_IMAGE"

# Wanted where monitoring is; all are one image where they are built here.
MONITORING: Final = (
    "PROMETHEUS_IMAGE",
    "ALERTMANAGER_IMAGE",
    "POSTGRES_EXPORTER_IMAGE",
    "REDIS_EXPORTER_IMAGE",
    "NGINX_EXPORTER_IMAGE",
    "NODE_EXPORTER_IMAGE",
)


# What `inv deploy` calls an image that has served, to go back to it.
DEPLOYED: Final = re.compile(r".+:deployed-\d{8}T\d{6}Z")


def official(root: Path, project: str = PROJECT) -> dict[str, str]:
    """The defaults of all *_IMAGE variables; their one home is the compose files.

    Raises OpsError where one of these is missing.
    """
    try:
        text = "".join((root / name).read_text() for name in ("compose.yaml", "compose.prod.yaml"))
    except FileNotFoundError as error:
        hint = f"What a clone has and this folder has not: git -C {root} status"
        raise OpsError(f"{error.filename} is missing", hint) from None
    text = re.sub(r"\$\{COMPOSE_PROJECT_NAME:-[^}]+\}", project, text)
    return dict(re.findall(r"\$\{(\w+_IMAGE):-([^}]+)\}", text))


def effective(settings: Settings) -> dict[str, str]:
    """The images this installation runs on: `.env` over the defaults."""
    defaults = official(settings.root, settings.project)
    return {name: settings.images.get(name, image) for name, image in defaults.items()}
