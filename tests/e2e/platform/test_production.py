"""A first start in production, from nothing."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.stack.engine import Engine
from tests.e2e.support import images
from tests.e2e.support.production import Production


@pytest.fixture
def bare(docker: Engine, tmp_path: Path) -> Iterator[Production]:
    """A clone that has no secrets, no certificate and no volumes yet."""
    production = Production.clone(tmp_path / "clone")
    images.write_settings(production)
    try:
        yield production
    finally:
        production.destroy()


def test_quickstart_makes_a_production_platform_from_nothing(bare: Production) -> None:
    repair = _refused_as_cloned_under_umask_077(bare)
    assert bare.run("sh", "-c", repair).returncode == 0
    done = bare.inv("quickstart", "--prod", "--yes")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^PLATFORM_ENV=[\"']?prod", (bare.root / ".env").read_text(), re.MULTILINE)
    assert bare.once("/web/login").status == 200
    assert bare.log_in()
    assert bare.sql("SHOW shared_buffers") == "1GB"
    assert bare.sql("SHOW data_checksums") == "on"


def _refused_as_cloned_under_umask_077(bare: Production) -> str:
    """The command that repairs it."""
    bare.run("chmod", "-R", "go-rwx", "toolbox", "nginx", "odoo", "postgres", "redis")
    done = bare.inv("up", "--prod")
    assert done.returncode == 1 and bare.container("odoo_db") == ""
    assert "Files: containers cannot read toolbox, odoo, odoo/health.py and" in done.stderr
    assert "containers cannot execute nginx/gate-at-start, nginx/trusted-proxies" in done.stderr
    [repair] = re.findall(r"Run: (chmod .*? nginx/trusted-proxies)", done.stderr)
    return str(repair)
