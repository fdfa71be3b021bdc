"""Sessions where DNS is dead, where Redis cannot write, with TLS, and in wrong hands."""

import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scripts.tls.certificates import make_ca, make_leaf
from tests.e2e.support import images
from tests.e2e.support.browser_session import BrowserSession
from tests.e2e.support.checkout import Checkout, free_port
from tests.e2e.support.overlay import overlay
from tests.e2e.support.session_store import answers, in_odoo, key, redis, stopped
from tests.e2e.support.tools import on_the_edge
from tests.support.waiting import eventually

_LONGEST = 3.5  # seconds; the promise is 2, the rest is for a busy machine
_STATIC = "/web/static/img/favicon.ico"
_ASK_DNS = """
import socket, time
started = time.monotonic()
try:
    socket.getaddrinfo("nobody.invalid", 1)
except OSError:
    print(time.monotonic() - started)
"""
_FAULTS = """
services:
  odoo:
    dns: [192.0.2.1] # of TEST-NET-1, where nobody answers
  redis:
    volumes: !override ["./redis:/etc/platform:ro"]
    tmpfs: ["/data:size=2m"]
"""


@pytest.fixture(scope="module")
def faulty(platform: Checkout) -> Iterator[Checkout]:
    """The platform with a resolver that does not answer, and a tiny disk for Redis."""
    with overlay(platform, _FAULTS, "redis", "odoo"):
        yield platform


def _log(platform: Checkout) -> str:
    logs = platform.run("docker", "logs", platform.container("odoo"))
    return logs.stdout + logs.stderr


def test_a_dead_resolver_makes_nobody_wait(faulty: Checkout) -> None:
    admin = BrowserSession.admin(faulty)
    with stopped(faulty):
        assert float(in_odoo(faulty, "python3", "-c", _ASK_DNS)) > _LONGEST, "it is not dead"
        for path, status in 3 * [("/odoo", 503), (_STATIC, 200), ("/web/health", 200)]:
            started = time.monotonic()
            answer = admin.get(path, allow_redirects=False)
            assert time.monotonic() - started < _LONGEST
            assert answer.status_code == status
            assert "session_id" not in answer.cookies
            time.sleep(0.5)
    assert eventually(lambda: answers(admin), 30)
    assert BrowserSession.admin(faulty).uid() == 2, "this Redis forgets, its disk is memory"


def test_a_redis_that_cannot_write_keeps_who_is_logged_in_and_says_why(faulty: Checkout) -> None:
    assert faulty.inv("restart", "--service", "odoo").returncode == 0  # its log may be quiet
    admin, leaving = BrowserSession.admin(faulty), BrowserSession.admin(faulty)
    in_redis = ["exec", "-T", "--user", "redis", "redis"]
    faulty.compose(*in_redis, "sh", "-c", "dd if=/dev/zero of=/data/filler bs=1k")
    write = [*in_redis[:2], "redis", "sh", "/etc/platform/cli", "set", "filler", "x" * 9000]
    try:
        assert eventually(lambda: "MISCONF" in str(faulty.compose(*write)), 20)
        assert admin.uid() == 2
        assert admin.get("/web/login?debug=1", allow_redirects=False).status_code in (200, 303)
        assert BrowserSession(faulty).log_in().status_code == 503
        assert leaving.get("/web/session/logout", allow_redirects=False).status_code == 503
        assert admin.uid() == 2
        assert _log(faulty).count("cannot write its files, logins fail: is the disk full?") == 1
        health = faulty.inv("health")
        assert health.returncode == 1 and "MISCONF" in health.stdout, health.stdout
    finally:
        faulty.compose(*in_redis, "rm", "/data/filler")
    assert eventually(lambda: BrowserSession(faulty).log_in().status_code == 200, 30)
    assert admin.uid() == 2
    assert leaving.uid() == 2, "who was told that the logout failed is not half out"


def _with(platform: Checkout, sid: str) -> BrowserSession:
    visitor = BrowserSession(platform)
    visitor.jar.cookies.set("session_id", sid, domain="localhost.local")  # as if Odoo had
    return visitor


def test_neither_half_a_session_id_nor_one_that_is_over_is_good_for_anything(
    platform: Checkout,
) -> None:
    admin = BrowserSession.admin(platform)
    half, over = (admin.sid[:42] + secrets.token_urlsafe(32)[:42].ljust(42, "A") for _ in range(2))
    stored = json.loads(redis(platform, "hget", key(admin.sid), admin.sid[42:]))
    stored |= {"next_sid": admin.sid, "deletion_time": time.time() - 1}
    redis(platform, "hset", key(admin.sid), over[42:], json.dumps(stored))
    before = redis(platform, "hgetall", key(admin.sid))
    for sid in (half, over):
        assert _with(platform, sid).uid() is None
        assert _with(platform, sid).get("/odoo", allow_redirects=False).status_code == 303
        for path in ("/web/login?debug=1", "/web/session/logout"):
            thief = _with(platform, sid)
            thief.get(path)
            assert thief.uid() is None
        thief = _with(platform, sid)
        assert thief.log_in().status_code == 200 and thief.sid[:42] != admin.sid[:42]
        assert redis(platform, "hgetall", key(admin.sid)) == before
    assert admin.uid() == 2


def test_who_comes_back_after_the_lifetime_logs_in_again(platform: Checkout) -> None:
    admin = BrowserSession.admin(platform)
    redis(platform, "pexpire", key(admin.sid), "1")
    assert admin.uid() is None
    assert admin.log_in().status_code == 200 and admin.uid() == 2


@pytest.fixture
def encrypted(platform: Checkout, tmp_path: Path) -> Iterator[Path]:
    """A folder with the CA's certificate and another's, while a Redis with TLS is redis-tls."""
    tmp_path.chmod(0o755)
    folder = tmp_path / "certs"
    folder.mkdir()
    now = datetime.now(UTC)
    ca, other = make_ca(now), make_ca(now)
    leaf = make_leaf(ca, ["redis-tls"], now)
    (folder / "leaf.pem").write_bytes(leaf.certificate)
    (folder / "key.pem").write_bytes(leaf.key)
    (folder / "ca.pem").write_bytes(ca.certificate)
    (folder / "other.pem").write_bytes(other.certificate)
    secret = (platform.root / "secrets" / "db_password.txt").read_text().strip()
    password = hashlib.sha256(f"redis:{secret}".encode()).hexdigest()
    server = ["--port", "0", "--tls-port", "6379", "--tls-auth-clients", "no", "--save", ""]
    server += ["--tls-cert-file", "/certs/leaf.pem", "--tls-key-file", "/certs/key.pem"]
    server += ["--tls-ca-cert-file", "/certs/ca.pem", "--requirepass", password]
    image = images.in_use(platform)["REDIS_IMAGE"]
    names = ["--network-alias", "redis-tls", "--network-alias", "redis-alias"]
    mount = ["-v", f"{folder}:/certs:ro", "--entrypoint", "redis-server"]
    with on_the_edge(platform, "redis-tls", *names, *mount, image, *server):
        yield folder


def _odoo_with_tls(folder: Path, ca: str, *options: str, host: str = "redis-tls") -> list[str]:
    values = {"HOST": host, "TLS": "true", "TLS_CA_FILE": f"/certs/{ca}"}
    settings = [part for k, v in values.items() for part in ("-e", f"SESSION_REDIS_{k}={v}")]
    run = ["run", "--rm", "--no-deps", "-v", f"{folder}:/certs:ro", *settings, *options]
    return [*run, "odoo", "odoo", "--database=odoo", "--workers=0", "--max-cron-threads=0"]


def test_sessions_go_to_a_redis_with_tls(platform: Checkout, encrypted: Path) -> None:
    port, name = free_port(), f"{platform.project}-odoo-tls"
    options = ["--detach", "--name", name, "--publish", f"127.0.0.1:{port}:8069"]
    there = replace(platform, http_port=port)
    try:
        done = platform.compose(*_odoo_with_tls(encrypted, "ca.pem", *options))
        assert done.returncode == 0, done.stderr
        assert eventually(lambda: there.get("/web/health") == 200, 60)
        admin = BrowserSession.admin(there)
        assert redis(platform, "exists", key(admin.sid)) == "0", "it is in the other Redis"
        admin.get("/web/session/logout")
        assert admin.uid() is None
    finally:
        platform.run("docker", "rm", "--force", "--volumes", name)


@pytest.mark.parametrize(
    ("ca", "host", "reason"),
    [
        ("other.pem", "redis-tls", "self-signed certificate in certificate chain"),
        ("ca.pem", "redis-alias", "Hostname mismatch"),
    ],
)
def test_a_redis_that_cannot_be_trusted_stops_odoo_at_once_with_one_line(
    platform: Checkout, encrypted: Path, ca: str, host: str, reason: str
) -> None:
    done = platform.compose(*_odoo_with_tls(encrypted, ca, host=host))
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if line.startswith("session_redis: ")]
    assert len(said) == 1 and f"Redis at {host}:6379 cannot be trusted, see tls_ca_file" in said[0]
    assert reason in said[0]
    assert "Traceback" not in done.stderr and "HTTP service" not in done.stderr


def test_the_module_cannot_be_installed_in_the_database_by_mistake(platform: Checkout) -> None:
    admin = BrowserSession.admin(platform)
    ids = admin.method("ir.module.module", "search", [["name", "=", "session_redis"]])
    params = {"model": "ir.module.module", "method": "button_immediate_install", "kwargs": {}}
    answer = admin.call("/web/dataset/call_button", **params, args=[ids])
    assert "There is nothing to install" in answer.json()["error"]["data"]["message"]
    state = "SELECT state FROM ir_module_module WHERE name = 'session_redis'"
    assert platform.sql(state) == "uninstalled"
    assert BrowserSession.admin(platform).uid() == 2


_SHELL = "echo 'print(type(odoo.http.root.session_store).__name__)' | odoo shell -d odoo {}"


def test_an_odoo_shell_does_not_wait_for_a_redis_that_is_down(platform: Checkout) -> None:
    with stopped(platform):
        started = time.monotonic()
        said = in_odoo(platform, "sh", "-c", _SHELL.format("--http-port=8897"))
        assert "RedisSessionStore" in said and time.monotonic() - started < 13


def test_where_it_is_not_server_wide_the_module_does_nothing(platform: Checkout) -> None:
    load = "--load=base,web --no-http"
    script = _SHELL.format(load).replace("print", "import odoo.addons.session_redis; print")
    assert "FilesystemSessionStore" in in_odoo(platform, "sh", "-c", script)
