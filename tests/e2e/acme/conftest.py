"""A site of which only Nginx runs, and an authority that certifies it."""

from collections.abc import Iterator

import pytest

from scripts.stack.engine import Engine
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.pebble import Pebble, Site
from tests.e2e.support.tools import build


@pytest.fixture(scope="package")
def site(docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Nginx alone, in production, with a self-signed certificate."""
    site = Site(Checkout.clone(tmp_path_factory.mktemp("acme") / "clone"))
    site.prepare()
    try:
        made = site.checkout.run("./scripts/setup-tls.sh", "selfsigned")
        assert made.returncode == 0, made.stderr
        started = site.compose("up", "--detach", "--no-deps", "--wait", "nginx")
        assert started.returncode == 0, started.stderr
        yield site
    finally:
        site.compose("--profile", "certbot", "down", "--volumes", "--timeout", "5")


@pytest.fixture(scope="package")
def pebble(site: Site) -> Iterator[Pebble]:
    """The authority that ACME_SERVER of `site` names."""
    build(site.checkout, "pebble")
    with Pebble(site.checkout).running(site.identity) as authority:
        yield authority
