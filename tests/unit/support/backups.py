"""An installation that can make backups, for tests."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from scripts.stack import images
from scripts.stack.compose import Stack
from tests.conftest import ROOT
from tests.unit.support.fakes import FakeRunner, settings_in
from toolbox.contract.backups import Manifest
from toolbox.contract.codec import decode

HERE = '{"odoo": "18.0", "modules": ["base"]}'  # the Odoo that would run
RUN = "docker compose --progress quiet run --rm -T --no-deps"
MANIFEST: dict[str, Any] = {
    "id": "20260101-020000-abcd",
    "created": "2026-01-01T02:00:00+00:00",
    "database": "odoo",
    "odoo": "18.0",
    "postgresql": "16.14",
    "pg_dump": "pg_dump 16.14",
    "modules": {"base": "1"},
    "rows": {"public.a": 2},
    "files": {"count": 1, "bytes": 5},
    "dump": {"bytes": 7},
    "added_bytes": 3,
    "seconds": 1.0,
    "guarded_seconds": 0.5,
}


def stored(name: str, time: str) -> dict[str, Any]:
    """A backup as `backup list` has it."""
    return {
        "id": name,
        "time": time,
        "files": 1,
        "database": "odoo",
        "odoo": "18.0",
        "bytes": 1,
        "added": 1,
        "installation": "here",
        "snapshots": {},
        "paths": {},
    }


STORED = stored("20260101-020000-abcd", "2026-01-01T02:00:00Z")
RECORD = decode(Manifest, MANIFEST)


def ready_stack(root: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """With a key, and the image of backups in place."""
    monkeypatch.setattr(images, "has_backup_image", lambda stack: True)
    monkeypatch.setattr(images, "ensure_all", lambda stack, reporter: None)
    for name in ("compose.yaml", "compose.prod.yaml"):
        shutil.copy2(ROOT / name, root)
    settings = settings_in(root)
    settings.secrets_folder.mkdir()
    (settings.secrets_folder / "backup_key.txt").write_text("k" * 43)
    return Stack(settings, FakeRunner())


def runner_of(stack: Stack) -> FakeRunner:
    """Its runner, which knows what was run."""
    assert isinstance(stack.runner, FakeRunner)
    return stack.runner
