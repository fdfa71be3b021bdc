"""Sessions live in Redis: logins, rotations, revocations, restarts, and many of them."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.e2e.support import series
from tests.e2e.support.browser_session import BrowserSession, Websocket
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.module_tests import run_module_tests
from tests.e2e.support.overlay import overlay
from tests.e2e.support.session_store import in_odoo, key, odoo_shell, redis
from tests.support.waiting import eventually

WEEK = 7 * 86400
CLOSED_AS_EXPIRED = 4001


@pytest.fixture
def admin(platform: Checkout) -> BrowserSession:
    """A new login."""
    return BrowserSession.admin(platform)


def age_by(platform: Checkout, sid: str, seconds: int) -> None:
    """Make a session look as if it had been rotated that long ago."""
    stored = json.loads(redis(platform, "hget", key(sid), sid[42:]))
    stored["create_time"] -= seconds
    for trace in stored.get("_trace", []):  # so that the next request has something to save
        trace["last_activity"] -= seconds
    redis(platform, "hset", key(sid), sid[42:], json.dumps(stored))


def test_a_login_is_one_key_with_a_lifetime_and_a_logout_removes_it(admin: BrowserSession) -> None:
    platform = admin.platform
    assert json.loads(redis(platform, "hget", key(admin.sid), admin.sid[42:]))["login"] == "admin"
    assert WEEK - 120 < int(redis(platform, "ttl", key(admin.sid))) <= WEEK
    sid = admin.sid
    admin.get("/web/session/logout")
    assert redis(platform, "exists", key(sid)) == "0"
    admin.jar.cookies.set("session_id", sid)
    assert admin.uid() is None


def test_no_session_is_kept_in_a_file(admin: BrowserSession) -> None:
    assert in_odoo(admin.platform, "sh", "-c", "find /var/lib/odoo/sessions -type f -size +0") == ""


def test_a_visitor_is_remembered_for_more_than_a_day_but_less_than_a_user(
    platform: Checkout,
) -> None:
    visitor = BrowserSession(platform)
    visitor.get("/web/login?debug=1")
    assert 86400 < int(redis(platform, "ttl", key(visitor.sid))) < WEEK


def test_the_parameter_of_the_database_sets_the_lifetime(admin: BrowserSession) -> None:
    name = "sessions.max_inactivity_seconds"
    admin.method("ir.config_parameter", "set_param", name, "3600")
    try:
        other = BrowserSession.admin(admin.platform)
        assert 3400 < int(redis(admin.platform, "ttl", key(other.sid))) <= 3600
    finally:
        admin.method("ir.config_parameter", "set_param", name, str(WEEK))


@pytest.mark.parametrize("service", ["redis", "odoo"])
def test_a_restart_logs_nobody_out(admin: BrowserSession, service: str) -> None:
    done = admin.platform.inv("restart", "--service", service)
    assert done.returncode == 0, done.stderr
    assert admin.uid() == 2


def test_a_redis_that_is_killed_logs_nobody_out_not_even_who_came_a_moment_ago(
    platform: Checkout,
) -> None:
    old = BrowserSession.admin(platform)
    pid = (
        platform.run("docker", "top", platform.container("redis"), "-eo", "pid,comm")
        .stdout.split("redis-server")[0]
        .split()[-1]
    )
    new = BrowserSession.admin(platform)
    platform.run("kill", "-KILL", pid)
    assert eventually(lambda: old.call("/web/session/get_session_info").status_code == 200, 30)
    assert (old.uid(), new.uid()) == (2, 2)


def test_revoking_a_device_ends_its_websocket_and_its_next_request(admin: BrowserSession) -> None:
    other = BrowserSession.admin(admin.platform)
    websocket = Websocket(admin)
    try:
        websocket.subscribe()
        find = f"env['res.device'].search([('session_identifier', '=', '{admin.sid[:42]}')])"
        odoo_shell(admin.platform, f"devices = {find}\nassert devices\ndevices._revoke()")
        websocket.subscribe()
        assert websocket.close_code() == CLOSED_AS_EXPIRED
    finally:
        websocket.close()
    assert admin.uid() is None
    assert other.uid() == 2


def test_eight_requests_at_once_in_a_rotation_get_one_new_session_id(admin: BrowserSession) -> None:
    platform, old = admin.platform, admin.sid
    if not series.rotates_softly(platform):
        pytest.skip("this Odoo changes session ids at logins only")
    age_by(platform, old, 4 * 3600)

    def ask(_: int) -> str:
        visitor = BrowserSession(platform)
        visitor.jar.cookies.set("session_id", old)
        answer = visitor.call("/web/session/get_session_info")
        assert answer.json()["result"]["uid"] == 2
        return answer.cookies["session_id"]

    with ThreadPoolExecutor(8) as pool:
        given = set(pool.map(ask, range(8)))
    assert len(given) == 1 and given != {old}
    successor = BrowserSession(platform)
    successor.jar.cookies.set("session_id", next(iter(given)))
    assert successor.uid() == 2, "the new id is a login"
    assert {sid[:42] for sid in given} == {old[:42]}
    assert admin.uid() == 2, "the old id still works, for two minutes"
    assert redis(platform, "hlen", key(old)) == "2"
    leaving = json.loads(redis(platform, "hget", key(old), old[42:]))
    assert 60 < leaving["deletion_time"] - time.time() <= 120
    leaving["deletion_time"] = time.time() - 1
    redis(platform, "hset", key(old), old[42:], json.dumps(leaving))
    late = BrowserSession(platform)
    late.jar.cookies.set("session_id", old)
    assert late.uid() is None


@pytest.fixture
def two_odoos(platform: Checkout) -> Iterator[Checkout]:
    """The same platform with a second Odoo beside the first."""
    alone = "services: {odoo: {ports: !override []}}\n"
    with overlay(platform, alone, "--scale", "odoo=2", "odoo"):
        yield platform


def test_two_odoos_serve_one_session_in_turn(two_odoos: Checkout) -> None:
    containers = two_odoos.container("odoo").split()
    assert len(containers) == 2

    def served() -> list[int]:
        logs = [two_odoos.run("docker", "logs", name) for name in containers]
        return [(log.stdout + log.stderr).count("/web/session/get_session_info") for log in logs]

    time.sleep(11)  # Nginx asks for Odoo's addresses every 10 s
    admin, before = BrowserSession.admin(two_odoos), served()
    assert [admin.uid() for _ in range(40)] == [2] * 40
    shares = [after - first for after, first in zip(served(), before, strict=True)]
    assert min(shares) >= 5, f"{shares} requests"
    admin.get("/web/session/logout")
    assert {admin.uid() for _ in range(10)} == {None}


def test_the_overview_counts_by_user_and_revoke_ends_them_all(admin: BrowserSession) -> None:
    platform = admin.platform
    done = platform.inv("sessions")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("user ") and "admin" in done.stdout
    found = json.loads(platform.inv("sessions", "--json").stdout)
    (ours,) = [row for row in found["users"] if row["login"] == "admin"]
    assert ours["sessions"] == ours["hour"] + ours["day"] + ours["older"] > 0
    refused = platform.inv("sessions.revoke", "--user", "admin")
    assert refused.returncode == 1 and "nobody was logged out" in refused.stderr
    assert admin.uid() == 2
    done = platform.inv("sessions.revoke", "--user", "admin", "--yes")
    assert done.returncode == 0, done.stderr
    assert admin.uid() is None
    revoked = "SELECT revoked FROM res_device_log WHERE session_identifier = '{}'"
    assert platform.sql(revoked.format(admin.sid[:42])) == "t"


_TO_FILE = """
import json, pathlib, sys
sid = sys.argv[1]
folder = pathlib.Path("/var/lib/odoo/sessions", sid[:2])
folder.mkdir(parents=True, exist_ok=True)
(folder / sid).write_text(sys.argv[2])
"""


@pytest.mark.parametrize("how", ["by the command", "at the start of Odoo"])
def test_sessions_kept_in_files_are_moved_once(admin: BrowserSession, how: str) -> None:
    platform = admin.platform
    stored = redis(platform, "hget", key(admin.sid), admin.sid[42:])
    redis(platform, "unlink", key(admin.sid))
    in_odoo(platform, "python3", "-c", _TO_FILE, admin.sid, stored)
    if how == "by the command":
        assert platform.inv("sessions.import").stdout == "1 sessions moved\n"
    else:
        assert platform.inv("restart", "--service", "odoo").returncode == 0
    assert admin.uid() == 2
    assert int(redis(platform, "ttl", key(admin.sid))) > WEEK - 600
    assert platform.inv("sessions.import").stdout == "0 sessions moved\n"


_CROWD = """
import json, os, secrets, sys, time
sys.path.insert(0, "/mnt/extra-addons/session_redis")
from settings import Settings
settings = Settings.load(os.environ["ODOO_RC"], os.environ)
pipe = settings.client().pipeline(transaction=False)
now = time.time()
for number in range(10_000):
    sid = secrets.token_urlsafe(63)
    trace = {"platform": "linux", "browser": "firefox", "ip_address": "192.0.2.1",
             "first_activity": int(now) - number * 30, "last_activity": int(now)}
    data = {"uid": 9, "login": "crowd", "db": "odoo", "create_time": now, "_trace": [trace],
            "context": {"lang": "en_US", "tz": "UTC", "uid": 9}, "session_token": "0" * 64}
    pipe.hset(settings.key(sid), sid[42:], json.dumps(data))
    pipe.expire(settings.key(sid), 604800)
pipe.execute()
"""


def test_ten_thousand_sessions_are_no_burden(admin: BrowserSession) -> None:
    platform = admin.platform
    used = int(json.loads(platform.inv("sessions", "--json").stdout)["memory"])
    in_odoo(platform, "python3", "-c", _CROWD)
    odoo_shell(platform, "env.ref('base.autovacuum_job').method_direct_trigger()")
    found = json.loads(platform.inv("sessions", "--json").stdout)
    (crowd,) = [row for row in found["users"] if row["login"] == "crowd"]
    assert crowd["sessions"] == 10_000
    assert (crowd["hour"], crowd["day"]) == (120, 2760)
    assert found["memory"] - used < 12 * 1024**2, "740 bytes each when it was measured"
    assert admin.uid() == 2
    done = platform.inv("sessions.revoke", "--user", "crowd", "--yes")
    assert done.stdout == "10000 sessions of 'crowd' ended\n"


def test_the_odoo_that_serves_is_the_one_of_this_run(platform: Checkout) -> None:
    served = requests.post(f"{platform.url}/web/webclient/version_info", json={}, timeout=30)
    assert served.json()["result"]["server_serie"] == series.expected()


def test_the_modules_own_tests_pass_in_odoo(platform: Checkout) -> None:
    log = run_module_tests(platform, "session_redis")
    assert "session_redis: " in log and " tests " in log
    assert "Starting TestHttp." in log and "Starting TestStore." in log
