"""PostgreSQL that the platform does not run, as managed ones are: TLS, and no superuser."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.support import images, postgres_elsewhere
from tests.e2e.support.browser_session import BrowserSession
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.postgres_elsewhere import TENANT
from tests.e2e.support.template import Template
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("external")

_ENCRYPTED = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename"


@dataclass(frozen=True)
class Elsewhere:
    """A platform that runs, and the server that it uses."""

    platform: Checkout
    server: str  # its container
    tls: Path

    def sql(self, query: str, database: str = "postgres") -> str:
        """As the administrator of the server, whom the platform does not know."""
        psql = ["docker", "exec", self.server, "psql", "-U", "postgres", "-d", database]
        done = self.platform.run(*psql, "-tAc", query)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="module")
def elsewhere(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    folder = tmp_path_factory.mktemp("external")
    platform = Checkout.clone(folder / "clone")
    tls = platform.root / ".state" / "tls"  # which virtual machines see, unlike /tmp
    tls.parent.mkdir(exist_ok=True)
    postgres_elsewhere.make_certificates(tls)
    images.write_settings(platform, "HEALTH_INTERVAL=5m", *postgres_elsewhere.settings(tls))
    try:
        with template.copied(platform, {}):
            made = platform.compose("create", "nginx")  # and its network, where the server is
            assert made.returncode == 0, made.stderr
        with postgres_elsewhere.running(platform, tls) as server:
            started = platform.inv("up")
            assert started.returncode == 0, started.stderr
            yield Elsewhere(platform, server, tls)
            platform.compose("kill")  # before the server, which they would miss
    finally:
        platform.destroy()


def test_odoo_works_by_encrypted_connections_and_all_is_well(elsewhere: Elsewhere) -> None:
    BrowserSession.admin(elsewhere.platform)
    assert elsewhere.sql(f"{_ENCRYPTED} = 'odoo'") == "t"
    health = elsewhere.platform.inv("health", "--only", "postgresql,connections,locks,volumes")
    assert health.returncode == 0, health.stdout
    assert "PostgreSQL: ✓ OK" in health.stdout
    asked = elsewhere.platform.inv("psql", "--command", "SELECT current_user || ' is here'")
    assert "odoo is here" in asked.stdout


def test_what_has_no_way_out_reaches_the_server_and_nothing_else(elsewhere: Elsewhere) -> None:
    files = ["--file", "compose.yaml", "--file", "compose.external-db.yaml"]
    ask = (
        'psql -X -d postgres -tAc "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";'
        " ls /sys/class/net"
    )
    run = ["run", "--rm", "-T", "--no-deps", "odoo_rehearsal"]
    entry = ["--entrypoint", "platform-entrypoint"]
    done = elsewhere.platform.compose(*files, *run[:-1], *entry, run[-1], "sh", "-c", ask)
    # One network, which is internal: see tests/static/test_external_database.py.
    assert sorted(done.stdout.split()) == ["eth0", "lo", "t"], done.stderr


def test_a_backup_is_restored_there_and_undone(elsewhere: Elsewhere) -> None:
    platform = elsewhere.platform
    made = platform.inv("backup")
    assert made.returncode == 0, made.stderr
    platform.sql("CREATE TABLE written_since (id int)")
    done = platform.inv("restore", "latest", "--yes")
    assert done.returncode == 0, done.stderr
    assert platform.sql("SELECT to_regclass('written_since') IS NULL") == "t"
    BrowserSession.admin(platform)
    undone = platform.inv("restore", "--undo", "--yes")
    assert undone.returncode == 0, undone.stderr
    assert platform.sql("SELECT to_regclass('written_since') IS NULL") == "f"


@pytest.mark.parametrize(
    ("command", "said", "hint"),
    [
        (("postgres.upgrade", "--to", "17"), "is upgraded by who runs it", "BACKUP_BASE_IMAGE"),
        (("secrets.rotate", "db_password"), "is set where PostgreSQL runs", "then: inv restart"),
        (("restore", "tasks.py", "--to-database", "own", "--yes"), "odoo_restore", "CREATE ROLE"),
    ],
)
def test_what_wants_a_superuser_is_refused(
    elsewhere: Elsewhere, command: tuple[str, ...], said: str, hint: str
) -> None:
    done = elsewhere.platform.inv(*command)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert re.search(f"hint: .*{hint}", done.stderr)


def test_a_server_that_is_away_is_named_and_odoo_comes_back_with_it(elsewhere: Elsewhere) -> None:
    platform = elsewhere.platform
    assert platform.run("docker", "stop", "--time", "5", elsewhere.server).returncode == 0
    try:
        asked = platform.inv("db.list")
        made = platform.inv("backup")
    finally:
        assert platform.run("docker", "start", elsewhere.server).returncode == 0
    assert asked.returncode == made.returncode == 1
    assert "error: PostgreSQL at db.test:5432: " in asked.stderr
    assert "hint: Ask who runs it" in asked.stderr
    assert "error: PostgreSQL: connection to server" in made.stderr
    assert eventually(lambda: platform.get("/web/login") == 200, 120)


def test_a_role_that_creates_no_databases_fills_the_one_it_has(elsewhere: Elsewhere) -> None:
    platform = elsewhere.platform
    own = {"ODOO_DATABASE": TENANT, "POSTGRES_EXTERNAL_USER": TENANT}
    started = platform.inv("up", **own)
    assert started.returncode == 0, started.stderr
    assert elsewhere.sql("SELECT state FROM ir_module_module WHERE name = 'base'", TENANT) == (
        "installed"
    )
    assert platform.get("/web/login") == 200
    made = platform.inv("backup", **own)
    assert made.returncode == 0, made.stderr
    assert "was not tried" in made.stderr
    refused = platform.inv("restore", "latest", "--yes", **own)
    assert refused.returncode == 1
    assert f"the role {TENANT} may not create databases" in refused.stderr
    assert platform.get("/web/login") == 200


def test_a_server_of_another_authority_is_not_believed(elsewhere: Elsewhere) -> None:
    other = str(elsewhere.tls / "other.pem")
    refused = elsewhere.platform.inv("up", POSTGRES_EXTERNAL_CA_FILE=other)
    assert refused.returncode == 1
    assert "certificate verify failed" in refused.stderr
    assert "POSTGRES_EXTERNAL_CA_FILE" in refused.stderr
    again = elsewhere.platform.inv("up")
    assert again.returncode == 0, again.stderr
