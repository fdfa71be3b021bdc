"""One running platform for all tests; small clones of their own for the refusals."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.core.settings import Settings
from scripts.stack import images
from scripts.stack.engine import Engine
from tests.e2e.support import odoo_source
from tests.e2e.support.books import Books
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.pebble import Pebble, Site
from tests.e2e.support.production import Production
from tests.e2e.support.supabase import Local
from tests.e2e.support.tools import build
from tests.e2e.support.workshop import Workshop


@pytest.fixture(scope="session")
def source(pytestconfig: pytest.Config) -> Path | None:
    """The checkout of Odoo 18 that --odoo-source names, None where there is no such option."""
    folder: Path | None = pytestconfig.getoption("--odoo-source")
    return folder and odoo_source.check(folder)


@pytest.fixture(scope="session")
def quickstart(
    docker: Engine, tmp_path_factory: pytest.TempPathFactory, source: Path | None
) -> Iterator[tuple[Checkout, subprocess.CompletedProcess[str]]]:
    """A clean clone after `./scripts/inv quickstart`, and what that printed."""
    checkout = Checkout.clone(tmp_path_factory.mktemp("platform"), with_venv=False)
    if source:
        checkout = odoo_source.put_in(checkout, source)
    try:
        yield checkout, checkout.inv("quickstart")
    finally:
        checkout.destroy()


@pytest.fixture
def platform(quickstart: tuple[Checkout, subprocess.CompletedProcess[str]]) -> Checkout:
    """The running platform."""
    checkout, done = quickstart
    assert done.returncode == 0, done.stderr
    return checkout


@pytest.fixture
def books(platform: Checkout) -> Books:
    """The platform with something in it that is worth a backup."""
    found = Books(platform)
    platform.sql("CREATE TABLE IF NOT EXISTS ledger (id int, note text)")
    if platform.sql("SELECT count(*) FROM ledger") == "0":
        platform.sql(
            "INSERT INTO ledger SELECT n, md5(n::text) || ' ✓ \\ '' ' FROM generate_series(1,999) n"
        )
        found.attach(30)
        found.back_up()
    return found


@pytest.fixture(scope="session")
def production(docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """A running platform of the production flavour, for odoo.test and shop.test."""
    started = Production.start_new(tmp_path_factory.mktemp("production"))
    try:
        yield started
    finally:
        started.destroy()


@pytest.fixture(scope="session")
def admin(production: Production) -> str:
    """The Cookie header of somebody who is logged in."""
    return production.log_in()


@pytest.fixture(scope="session")
def workshop(docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """A running platform to change modules on."""
    started = Workshop.start_new(tmp_path_factory.mktemp("workshop") / "clone")
    try:
        yield started
    finally:
        started.platform.destroy()


@pytest.fixture
def shop(workshop: Workshop) -> Iterator[Workshop]:
    """The same with no module of a test before."""
    yield workshop
    workshop.clean()


@pytest.fixture(scope="session")
def supabase(docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """The local Supabase alone, with a stand-in in the place of PostgREST."""
    checkout = Checkout.clone(tmp_path_factory.mktemp("supabase") / "clone")
    try:
        yield Local.start_new(checkout)
    finally:
        checkout.destroy()


@pytest.fixture
def queue(supabase: Local) -> Local:
    """The same with an empty queue."""
    supabase.clean()
    return supabase


@pytest.fixture
def fresh(docker: Engine, tmp_path: Path) -> Iterator[Checkout]:
    """A clone that was never started, with settings and secrets in place."""
    checkout = Checkout.clone(tmp_path / "clone")
    in_use = images.effective(Settings.load())
    lines = [f"{name}={image}" for name, image in in_use.items()]
    (checkout.root / ".env").write_text("\n".join(lines) + "\n")
    assert checkout.inv("secrets").returncode == 0
    try:
        yield checkout
    finally:
        checkout.destroy()


@pytest.fixture(scope="session")
def site(docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Nginx alone, in production flavour, with a self-signed certificate."""
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


@pytest.fixture(scope="session")
def pebble(site: Site) -> Iterator[Pebble]:
    """The authority that ACME_SERVER of `site` names."""
    build(site.checkout, "pebble")
    with Pebble(site.checkout).running(site.identity) as authority:
        yield authority
