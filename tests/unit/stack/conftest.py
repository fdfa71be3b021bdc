"""What tests of images share: a project to build them of."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project whose Debian images are small, so that their digest costs nothing."""
    for name in ("compose.yaml", "compose.prod.yaml"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "odoo", tmp_path / "odoo")
    for name in (
        "base",
        "postgres",
        "postgres-17",
        "redis",
        "nginx",
        "certbot",
        "mail",
        "monitoring",
        "odoo",
    ):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        (folder / "Dockerfile").write_text(f"FROM {name}\n")
    return tmp_path
