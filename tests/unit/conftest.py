"""Keeps the machine's own settings out of the unit tests."""

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import ROOT

_OURS = (
    "BACKUP_", "COMPOSE_", "DOCKER_", "IMAGE_", "NGINX_", "ODOO_", "PLATFORM_", "POSTGRES_",
    "REDIS_",
)  # fmt: skip


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(_OURS) or name in ("CI", "NO_COLOR"):
            monkeypatch.delenv(name)


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Imports a module of backup/, which is no package, and forgets it again."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(ROOT / "backup")
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(ROOT / "backup") in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
