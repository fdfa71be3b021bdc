"""A first start in production, from nothing."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.stack.engine import Engine
from tests.e2e.support.production import Production
from tests.e2e.support.template import images_in_use


@pytest.fixture
def bare(docker: Engine, tmp_path: Path) -> Iterator[Production]:
    """A clone that has no secrets, no certificate and no volumes yet."""
    production = Production.clone(tmp_path / "clone")
    (production.root / ".env").write_text("\n".join(images_in_use()) + "\n")
    try:
        yield production
    finally:
        production.destroy()


def test_quickstart_makes_a_production_platform_from_nothing(bare: Production) -> None:
    done = bare.inv("quickstart", "--prod", "--yes")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^PLATFORM_ENV=[\"']?prod", (bare.root / ".env").read_text(), re.MULTILINE)
    assert bare.once("/web/login").status == 200
    assert bare.log_in()
    assert bare.sql("SHOW shared_buffers") == "1GB"
    assert bare.sql("SHOW data_checksums") == "on"
