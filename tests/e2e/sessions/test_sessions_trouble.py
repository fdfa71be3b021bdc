"""Redis stopped, hung, full, with another password; Odoo with a wrong configuration."""

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.e2e.support import images
from tests.e2e.support.browser_session import BrowserSession
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.session_store import answers, key, redis, stopped
from tests.support.waiting import eventually

_STATIC = "/web/static/img/favicon.ico"
# The promise is 2 s; the rest is for a machine that is busy with other things.
_LONGEST = 3.5


@contextmanager
def hung(platform: Checkout) -> Iterator[None]:
    platform.run("docker", "pause", platform.container("redis"))
    try:
        yield
    finally:
        platform.run("docker", "unpause", platform.container("redis"))


def complaints(platform: Checkout) -> int:
    logs = platform.run("docker", "logs", platform.container("odoo"))
    return (logs.stdout + logs.stderr).count("session_redis.store: Redis at ")


@pytest.mark.parametrize("trouble", [stopped, hung])
def test_without_redis_sessions_get_503_soon_and_the_rest_is_served(
    platform: Checkout, trouble: Callable[[Checkout], AbstractContextManager[None]]
) -> None:
    assert platform.inv("restart", "--service", "odoo").returncode == 0  # its log may be quiet
    admin, before = BrowserSession.admin(platform), complaints(platform)
    with trouble(platform):
        for _ in range(8):
            started = time.monotonic()
            answer = admin.call("/web/session/get_session_info")
            assert time.monotonic() - started < _LONGEST
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) > 0
            assert "session_id" not in answer.cookies
            time.sleep(0.3)
        for path in (_STATIC, "/web/health"):
            started = time.monotonic()
            assert admin.get(path).status_code == 200
            assert time.monotonic() - started < _LONGEST
        assert complaints(platform) - before == 1
    assert eventually(lambda: answers(admin), 30)
    assert admin.uid() == 2


def _address(platform: Checkout, network: str) -> str:
    found: str = platform.inspect("redis")["NetworkSettings"]["Networks"][network]["IPAddress"]
    return found


_PING = ("sh", "/etc/platform/cli", "ping")


def test_a_redis_that_comes_back_at_another_address_costs_nobody_a_503(
    platform: Checkout,
) -> None:
    admin = BrowserSession.admin(platform)
    network = f"{platform.project}_backend"
    squatter = f"{platform.project}-squatter"
    before = _address(platform, network)
    image = images.in_use(platform)["REDIS_IMAGE"]
    try:
        with stopped(platform):
            # It gets the address that is free now.
            run = ["docker", "run", "--detach", "--name", squatter, "--network", network]
            assert platform.run(*run, "--entrypoint", "sleep", image, "600").returncode == 0
        # It may be reading its file.
        assert eventually(lambda: platform.exec("redis", *_PING).stdout == "PONG\n", 30)
        assert _address(platform, network) != before
        assert admin.call("/web/session/get_session_info").status_code == 200
        assert admin.uid() == 2
    finally:
        platform.run("docker", "rm", "--force", "--volumes", squatter)


@contextmanager
def full(platform: Checkout, maxmemory: int = 1) -> Iterator[None]:
    limit = redis(platform, "config", "get", "maxmemory").split()[1]
    redis(platform, "config", "set", "maxmemory", str(maxmemory))
    try:
        yield
    finally:
        redis(platform, "config", "set", "maxmemory", limit)


def user(platform: Checkout) -> tuple[str, str]:
    """The login and password of a new user."""
    login, password = f"user-{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    values = {"name": login, "login": login, "password": password}
    BrowserSession.admin(platform).method("res.users", "create", [values])
    return login, password


def test_a_full_redis_refuses_logins_clearly_and_lets_the_others_go_on(platform: Checkout) -> None:
    staying, leaving = BrowserSession.admin(platform), BrowserSession.admin(platform)
    with full(platform):
        assert staying.uid() == 2
        assert staying.get("/web/login?debug=1", allow_redirects=False).status_code in (200, 303)
        stranger = BrowserSession(platform)
        assert stranger.log_in().status_code == 503
        sid = leaving.sid
        assert leaving.get("/web/session/logout", allow_redirects=False).status_code == 303
        assert redis(platform, "exists", key(sid)) == "0"
        assert staying.uid() == 2
    assert BrowserSession.admin(platform).uid() == 2


def test_who_would_be_logged_out_by_a_full_redis_is_refused_instead(platform: Checkout) -> None:
    admin = BrowserSession.admin(platform)
    with full(platform):
        assert admin.get("/web/become", allow_redirects=False).status_code == 503
        assert admin.uid() == 2, "neither somebody else nor nobody"
    assert admin.get("/web/become", allow_redirects=False).status_code == 303
    assert admin.uid() == 1


def test_a_password_changed_while_redis_is_full_ends_the_session_as_ever(
    platform: Checkout,
) -> None:
    login, password = user(platform)
    owner, other = BrowserSession(platform), "another-" + password
    owner.log_in(login, password)
    with full(platform):
        assert owner.method("res.users", "change_password", password, other) is True
        assert owner.uid() is None
        assert BrowserSession(platform).log_in(login, other).status_code == 503
    again = BrowserSession(platform)
    again.log_in(login, password)
    assert again.uid() is None
    again.log_in(login, other)
    assert again.uid()


def test_a_second_factor_is_asked_for_though_visitors_get_no_session(platform: Checkout) -> None:
    login, password = user(platform)
    platform.sql(f"UPDATE res_users SET totp_secret = 'JBSWY3DPEHPK3PXP' WHERE login = '{login}'")
    assert platform.inv("restart", "--service", "odoo").returncode == 0  # it remembers users
    asked = "/web/login/totp"
    used = int(redis(platform, "info", "memory").split("used_memory:")[1].split()[0])
    with full(platform, maxmemory=int(used / 0.9)):
        time.sleep(6)  # how long Odoo remembers that there was room
        assert BrowserSession(platform).log_in(login, password).url.split("?")[0].endswith(asked)
    with full(platform):
        assert BrowserSession(platform).log_in(login, password).status_code == 503


def test_a_snapshot_that_fails_stops_nobody(platform: Checkout) -> None:
    admin = BrowserSession.admin(platform)
    in_redis = ["exec", "-T", "--user", "redis", "redis", "sh", "-c"]

    def snapshot(outcome: str) -> bool:
        redis(platform, "bgsave")
        told = f"rdb_last_bgsave_status:{outcome}"
        return bool(eventually(lambda: told in redis(platform, "info", "persistence"), 20))

    made = "rm -f /data/dump.rdb && mkdir -p /data/dump.rdb/in-the-way"
    assert platform.compose(*in_redis, made).returncode == 0
    try:
        assert snapshot("err")
        assert admin.uid() == 2
        assert BrowserSession(platform).log_in().status_code == 200
        assert admin.get("/web/session/logout", allow_redirects=False).status_code == 303
    finally:
        platform.compose(*in_redis, "rm -r /data/dump.rdb")
        assert snapshot("ok")
        platform.compose(*in_redis, "rm -f /data/dump.rdb")


def test_the_keys_of_others_are_neither_counted_nor_revoked(platform: Checkout) -> None:
    login, password = user(platform)
    owner = BrowserSession(platform)
    owner.log_in(login, password)
    stored = redis(platform, "hget", key(owner.sid), owner.sid[42:])
    neighbour = f"session:next-door:{owner.sid[:42]}"
    redis(platform, "hset", neighbour, owner.sid[42:], stored)
    others = [f"session:{'x' * 42}", "session:jobs"]
    redis(platform, "set", others[0], "a text of the right length")
    redis(platform, "rpush", others[1], "a list")
    try:
        done = platform.inv("sessions", "--json")
        assert done.returncode == 0, done.stderr
        (ours,) = [row for row in json.loads(done.stdout)["users"] if row["login"] == login]
        assert ours["sessions"] == 1
        done = platform.inv("sessions.revoke", "--user", login, "--yes")
        assert done.stdout == f"1 sessions of '{login}' ended\n"
        assert owner.uid() is None
        assert redis(platform, "exists", neighbour, *others) == "3"
    finally:
        redis(platform, "unlink", neighbour, *others)


def test_redis_answers_nobody_without_the_password(platform: Checkout) -> None:
    done = platform.exec("redis", "redis-cli", "ping")
    assert "NOAUTH" in done.stdout + done.stderr
    ask = "import redis; redis.Redis('redis').ping()"
    done = platform.exec("odoo", "python3", "-c", ask)
    assert done.returncode != 0 and "Authentication required" in done.stderr


def test_the_password_of_redis_is_in_files_only(platform: Checkout) -> None:
    secret = (platform.root / "secrets" / "db_password.txt").read_text().strip()
    password = hashlib.sha256(f"redis:{secret}".encode()).hexdigest()
    assert password == _inside(platform, "redis", "cat", "/run/platform/password").strip()
    for service in ("redis", "odoo"):
        look = (
            "for f in /proc/[0-9]*; do tr '\\0' '\\n' <$f/environ; tr '\\0' ' ' <$f/cmdline; done"
        )
        done = platform.exec(service, "sh", "-c", f"({look}) 2>/dev/null; true")
        assert "PATH=" in done.stdout
        assert password not in done.stdout and secret not in done.stdout


def test_the_user_of_redis_cannot_read_the_password_of_the_database(platform: Checkout) -> None:
    done = platform.exec("redis", "cat", "/run/secrets/db_password", user="redis")
    assert done.returncode != 0 and "Permission denied" in done.stderr


def _inside(platform: Checkout, service: str, *command: str) -> str:
    return platform.exec(service, *command).stdout


def test_another_password_stops_odoo_at_its_start_with_a_clear_line(platform: Checkout) -> None:
    change = ["sh", "/etc/platform/cli", "config", "set", "requirepass"]
    good = _inside(platform, "redis", "cat", "/run/platform/password").strip()
    platform.exec("redis", *change, "Another-Passphrase-4711")
    try:
        platform.compose("restart", "odoo")
        assert eventually(lambda: "refuses us, see password_file" in _log(platform), 60)
    finally:
        back = ["env", "REDISCLI_AUTH=Another-Passphrase-4711", "redis-cli", "config", "set"]
        platform.exec("redis", *back, "requirepass", good)
    assert eventually(lambda: platform.get("/web/login") == 200, 90)


def _log(platform: Checkout) -> str:
    logs = platform.run("docker", "logs", "--tail", "50", platform.container("odoo"))
    return logs.stdout + logs.stderr


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("SESSION_REDIS_PORT=eighty", "session_redis: port = 'eighty' is no whole number"),
        ("SESSION_REDIS_PASSWORD_FILE=/nowhere", "session_redis: password_file = '/nowhere'"),
        *(
            pytest.param(*each, marks=pytest.mark.extended)
            for each in (
                ("SESSION_REDIS_PREFIX=s*:", "session_redis: prefix = 's*:' has one of *?[]"),
                ("SESSION_REDIS_HOTS=redis", "session_redis: hots is no option of [session_redis]"),
            )
        ),
        ("SESSION_REDIS_HOST=nowhere", "session_redis: Redis at nowhere:6379 cannot be reached"),
    ],
)
def test_a_wrong_configuration_stops_odoo_with_one_line(
    platform: Checkout, setting: str, line: str
) -> None:
    server = ["odoo", "--database=odoo", "--workers=0", "--http-port=8898"]
    done = platform.compose("run", "--rm", "--no-deps", "-e", setting, "odoo", *server)
    assert done.returncode != 0
    assert [text for text in done.stderr.splitlines() if text.startswith(line)]
    assert "Traceback" not in done.stderr and "HTTP service" not in done.stderr


def test_without_the_module_odoo_does_not_start(platform: Checkout) -> None:
    conf = platform.root / "odoo" / "odoo.conf"
    good = conf.read_text()
    try:
        conf.write_text(good.replace("[options]\n", "[options]\nserver_wide_modules = base,web\n"))
        done = platform.compose("run", "--rm", "--no-deps", "odoo", "odoo", "--http-port=8898")
    finally:
        conf.write_text(good)
    assert done.returncode == 78
    assert "must name session_redis" in done.stderr
