"""Keeps the machine's own settings out of the unit tests."""

import os
import sys

import pytest

from tests.conftest import ROOT
from tests.unit.support import psycopg2_stub

psycopg2_stub.install()
sys.path.append(str(ROOT / "odoo"))  # odoo_versions.py and odoo_user.py, as in containers

_PLATFORM_PREFIXES = (
    "BACKUP_",
    "COMPOSE_",
    "DOCKER_",
    "HEALTH_",
    "IMAGE_",
    "LOG_",
    "NGINX_",
    "ODOO_",
    "PLATFORM_",
    "POSTGRES_",
    "REDIS_",
    "SWARM_",
)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(_PLATFORM_PREFIXES) or name in ("CI", "NO_COLOR"):
            monkeypatch.delenv(name)
