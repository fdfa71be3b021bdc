"""Sessions in a Redis that the platform does not run: TLS, a user of its own, a failover."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.support import images, redis_elsewhere, session_store
from tests.e2e.support.browser_session import BrowserSession
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.redis_elsewhere import NAME, PASSWORD, PORTS, SENTINEL, Elsewhere
from tests.e2e.support.template import Template
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("external")


@dataclass(frozen=True)
class Site:
    """A platform that runs, where its sessions are, and somebody who is logged in."""

    platform: Checkout
    redis: Elsewhere
    folder: Path
    admin: BrowserSession

    @property
    def secret(self) -> Path:
        """The file with the password."""
        return self.platform.root / "secrets" / "redis_password.txt"


@pytest.fixture(scope="module")
def site(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    platform = Checkout.clone(tmp_path_factory.mktemp("redis") / "clone")
    folder = platform.root / ".state" / "redis"  # which virtual machines see, unlike /tmp
    folder.parent.mkdir(exist_ok=True)
    redis_elsewhere.prepare(folder)
    images.write_settings(platform, "HEALTH_INTERVAL=5m", *redis_elsewhere.settings(folder))
    try:
        with template.copied(platform, {}):
            refused = platform.inv("up")
            assert refused.returncode == 1
            assert "secrets/redis_password.txt cannot be read" in refused.stderr
            secret = platform.root / "secrets" / "redis_password.txt"
            secret.write_text(PASSWORD + "\n")
            secret.chmod(0o600)
            made = platform.compose("create", "nginx")  # and its network, where the server is
            assert made.returncode == 0, made.stderr
        with redis_elsewhere.running(platform, folder) as redis:
            started = platform.inv("up")
            assert started.returncode == 0, started.stderr
            yield Site(platform, redis, folder, BrowserSession.admin(platform))
            platform.compose("kill")  # before the server, which they would miss
    finally:
        platform.destroy()


def _is_well(platform: Checkout) -> None:
    health = platform.inv("health", "--only", "redis,odoo-container,volumes")
    assert health.returncode == 0, health.stdout
    assert "Redis: ✓ OK" in health.stdout


def test_sessions_are_there_and_not_here(site: Site) -> None:
    key = session_store.key(site.admin.sid)
    assert site.redis.ask("exists", key) == "1"
    assert session_store.redis(site.platform, "exists", key) == "1"
    assert session_store.redis(site.platform, "--local", "exists", key) == "0"
    _is_well(site.platform)
    listed = site.platform.inv("sessions")
    assert "admin" in listed.stdout and "Redis uses" in listed.stdout, listed.stderr


def test_its_password_is_not_rotated_here_and_that_of_the_database_is(site: Site) -> None:
    refused = site.platform.inv("secrets.rotate", "redis_password")
    assert refused.returncode == 2 and f"at {NAME}:{PORTS[0]}" in refused.stderr
    done = site.platform.inv("secrets.rotate", "db_password")
    assert done.returncode == 0, done.stderr
    assert site.admin.uid() == 2


def test_a_server_of_another_authority_is_not_believed(site: Site) -> None:
    refused = site.platform.inv("up", REDIS_EXTERNAL_CA_FILE=str(site.folder / "other.pem"))
    assert refused.returncode == 1
    assert f"error: Redis at {NAME}:{PORTS[0]}: " in refused.stderr
    assert "certificate verify failed" in refused.stderr
    assert "hint: Its certificate has to be" in refused.stderr


def test_a_wrong_password_is_named(site: Site) -> None:
    site.secret.write_text("another password\n")
    try:
        refused = site.platform.inv("up")
    finally:
        site.secret.write_text(PASSWORD + "\n")
    assert refused.returncode == 1
    assert "WRONGPASS" in refused.stderr
    assert "secrets/redis_password.txt, then: inv restart" in refused.stderr


def test_the_master_fails_and_nobody_is_logged_out(site: Site) -> None:
    started = site.platform.inv("up", **redis_elsewhere.by_sentinel())
    assert started.returncode == 0, started.stderr
    assert site.admin.uid() == 2
    # One Sentinel of the two does not exist.
    assert f"{NAME}:{SENTINEL} lets us in" in site.platform.compose("logs", "redis").stdout
    assert site.platform.inspect("redis")["RestartCount"] == 0
    before = site.platform.inspect("odoo")["State"]["StartedAt"]
    site.redis.stop_master()
    port = str(PORTS[1])
    found = ("sentinel", "get-master-addr-by-name", redis_elsewhere.MASTER)
    assert eventually(lambda: port in site.redis.ask(*found, port=SENTINEL), 30)
    assert eventually(lambda: session_store.answers(site.admin), 30)
    assert site.admin.uid() == 2
    key = session_store.key(site.admin.sid)
    assert site.redis.ask("exists", key, port=PORTS[1]) == "1"
    BrowserSession.admin(site.platform)
    assert site.platform.inspect("odoo")["State"]["StartedAt"] == before
    _is_well(site.platform)
