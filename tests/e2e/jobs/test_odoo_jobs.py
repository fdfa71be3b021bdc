"""Odoo, the queue and the executor together, on the whole platform."""

from collections.abc import Iterator

import pytest
import requests

from tests.e2e.support import series
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.executor import executor
from tests.e2e.support.supabase import PROFILE, Local
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("odoo_jobs")

_KEY = """
from datetime import timedelta
from odoo import fields
keys = env(user=env.ref("base.user_admin"))["res.users.apikeys"]
print("KEY=" + keys._generate("rpc", "test", fields.Datetime.now() + timedelta(days=1)))
"""
_PARAMETERS = """
for name, value in (("mcp_jobs.key", "{key}"), ("mcp_jobs.url", "http://postgrest:3000")):
    env["ir.config_parameter"].sudo().set_param(name, value)
# Or a server whose scheduler has looked before goes on with what it remembers: none.
env.cr.commit()
env.registry.signal_changes()
"""
_ENQUEUE = """
import time
started = time.monotonic()
jobs = env(user=env.ref("base.public_user"))["mcp.job"]
jobs._enqueue("sync_odoo", {{"model": "res.partner", "method": "create",
    "kwargs": {{"vals_list": [{{"name": "{name}"}}]}}}}, priority=1, key="{name}")
env.cr.commit()
print(f"TOOK={{time.monotonic() - started}}")
"""


_ELSEWHERE = """
from unittest.mock import patch
import requests
answer = requests.Response()
answer.status_code, answer._content = {status}, b"<html>"
job = env["mcp.job"]._enqueue("http", {{}}, key="elsewhere-{status}")
with patch("requests.post", return_value=answer):
    env["mcp.job"]._send()
print(f"STATE={{job.state}} {{job.error}}")
"""


_HTML = (200, "JSONDecodeError")
_MOVED = pytest.param(301, "status 301", marks=pytest.mark.extended)


def odoo_shell(platform: Checkout, script: str) -> str:
    """What `script` prints; it is committed."""
    run = "printf '%s' \"$0\" | odoo shell -d odoo --no-http --log-level=error"
    done = platform.compose(
        "exec", "-T", "odoo", "sh", "-c", run, script + "\nenv.cr.commit()\nprint('END')\n"
    )
    assert "Traceback" not in done.stderr and "END" in done.stdout, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def local(platform: Checkout) -> Iterator[Local]:
    """The platform with its local Supabase, by `inv up --supabase`."""
    env = (platform.root / ".env").read_text()
    off = {path: requests.get(platform.url + path, timeout=10) for path in ("/rest/v1/jobs",)}
    assert off["/rest/v1/jobs"].status_code == 503, "without the profile"
    assert off["/rest/v1/jobs"].json()["hint"] == "inv up --supabase"
    local = Local.prepare(platform)
    try:
        up = platform.inv("up", "--supabase")
        assert up.returncode == 0, up.stderr
        assert f"PostgREST: {local.rest.url}" in up.stdout
        yield local
    finally:
        platform.compose(*PROFILE, "rm", "--stop", "--force", "postgrest", "supabase_db")
        (platform.root / ".env").write_text(env)


@pytest.fixture(scope="module")
def module(local: Local) -> Local:
    """The same with the module in Odoo's database."""
    install = ["odoo", "-d", "odoo", "-i", "mcp_jobs", "--stop-after-init", "--no-http"]
    done = local.checkout.exec("odoo", *install)
    assert done.returncode == 0, done.stderr[-3000:]
    assert not series.complaints(done.stderr)
    key = local.rest.token("service_role", 86400)
    odoo_shell(local.checkout, _PARAMETERS.format(key=key))
    return local


def test_nginx_logs_no_error_of_the_profile_that_was_off(local: Local) -> None:
    log = local.checkout.compose("logs", "--no-log-prefix", "nginx")
    lines = [line for line in (log.stdout + log.stderr).splitlines() if "/rest/v1/jobs" in line]
    assert lines and not any("[error]" in line for line in lines), lines


def test_postgrest_answers_by_way_of_nginx_and_gets_no_cookie(local: Local) -> None:
    url = f"{local.checkout.url}/rest/v1/jobs"
    headers = {"Accept-Profile": "mcp_jobs"}
    assert requests.get(url, headers=headers, timeout=10).status_code == 401
    headers["Authorization"] = f"Bearer {local.rest.token('authenticated')}"
    params = {"select": "id", "source": "eq.a b%2F"}
    found = requests.get(url, headers=headers, params=params, timeout=10)
    assert (found.status_code, found.json()) == (200, [])
    large = requests.post(
        f"{local.checkout.url}/rest/v1/rpc/enqueue_job", data=b"x" * 2_000_000, timeout=10
    )
    assert large.status_code == 413
    assert local.checkout.get("/web/login") == 200


def test_up_without_the_flag_leaves_it_running(local: Local) -> None:
    before = local.checkout.container("supabase_db")
    assert local.checkout.inv("up").returncode == 0
    assert local.checkout.container("supabase_db") == before


def test_a_job_of_odoo_creates_a_record_in_odoo(module: Local) -> None:
    platform = module.checkout
    out = odoo_shell(platform, _ENQUEUE.format(name="made-by-a-job"))
    assert float(out.partition("TOOK=")[2].split()[0]) < 1
    state = "SELECT state FROM mcp_job WHERE key = 'made-by-a-job'"
    assert eventually(lambda: platform.sql(state) == "sent", 90), platform.sql(
        "SELECT state, error FROM mcp_job"
    )
    key = odoo_shell(platform, _KEY).partition("KEY=")[2].split()[0]
    odoo = {
        "ODOO_URL": f"http://127.0.0.1:{platform.odoo_port}",
        "ODOO_DATABASE": "odoo",
        "ODOO_LOGIN": "admin",
        "ODOO_API_KEY": key,
    }
    rest = {
        "POSTGREST_URL": module.rest.url,
        "SUPABASE_SERVICE_ROLE_KEY": module.rest.token("service_role"),
    }
    with executor(**rest, **odoo) as running:
        assert running.run().json()["completed"] == 1
        wrong = {"model": "res.partner", "method": "create", "kwargs": {"vals_list": [{"nix": 1}]}}
        job = {"p_source": "test", "p_job_type": "sync_odoo", "p_payload": wrong}
        bad = module.rest.call("enqueue_job", **job)
        assert running.run().json()["failed"] == 1
    # As before 19, which 19 still understands.
    with executor(**rest, **odoo, ODOO_API="jsonrpc") as older:
        values = {"vals_list": [{"name": "made-by-json-rpc"}]}
        call = {"model": "res.partner", "method": "create", "kwargs": values}
        job = {"p_source": "test", "p_job_type": "sync_odoo", "p_payload": call}
        made = module.rest.call("enqueue_job", **job)
        assert older.run().json()["completed"] == 1
        (ended,) = module.rest.ask(
            "GET", "jobs", module.rest.token("service_role"), id=f"eq.{made}"
        ).json()
        call = {
            "model": "res.partner",
            "method": "write",
            "ids": ended["result"],
            "kwargs": {"vals": {"name": "changed-by-json-rpc"}},
        }
        module.rest.call("enqueue_job", **{**job, "p_payload": call})
        bad_again = module.rest.call("enqueue_job", **{**job, "p_payload": wrong})
        summary = older.run().json()
        assert (summary["completed"], summary["failed"]) == (1, 1), summary
        (refused,) = module.rest.ask(
            "GET", "jobs", module.rest.token("service_role"), id=f"eq.{bad_again}"
        ).json()
        assert refused["status"] == "dead" and refused["last_error"].startswith("Odoo: ")
    changed = "SELECT count(*) FROM res_partner WHERE name = 'changed-by-json-rpc'"
    assert platform.sql(changed) == "1"
    found = platform.sql("SELECT count(*) FROM res_partner WHERE name = 'made-by-a-job'")
    assert found == "1"
    token = module.rest.token("service_role")
    (failed,) = module.rest.ask("GET", "jobs", token, id=f"eq.{bad}").json()
    assert failed["last_error"].startswith("Odoo: "), failed


def test_with_the_queue_away_nobody_waits_and_nothing_is_lost(module: Local) -> None:
    platform = module.checkout
    assert platform.compose(*PROFILE, "stop", "-t", "2", "postgrest").returncode == 0
    try:
        out = odoo_shell(platform, _ENQUEUE.format(name="while-away"))
        assert float(out.partition("TOOK=")[2].split()[0]) < 1
        tried = "SELECT error FROM mcp_job WHERE key = 'while-away' AND state = 'waiting'"
        assert eventually(lambda: platform.sql(tried), 90)
        again = "SELECT count(*) FROM ir_cron_trigger WHERE call_at > now() AT TIME ZONE 'utc'"
        assert int(platform.sql(again)) >= 1, "within a minute"
    finally:
        assert platform.compose(*PROFILE, "up", "-d", "--wait", "postgrest").returncode == 0
    odoo_shell(platform, "env.ref('mcp_jobs.cron_send')._trigger()")  # sooner than that
    state = "SELECT state FROM mcp_job WHERE key = 'while-away'"
    assert eventually(lambda: platform.sql(state) == "sent", 90)
    jobs = module.psql("SELECT count(*) FROM mcp_jobs.jobs WHERE idempotency_key = 'while-away'")
    assert jobs == "1"


@pytest.mark.parametrize(("status", "error"), [_HTML, _MOVED])
def test_with_somebody_else_at_the_queues_address_jobs_wait(
    module: Local, status: int, error: str
) -> None:
    out = odoo_shell(module.checkout, _ELSEWHERE.format(status=status))
    assert f"STATE=waiting {error}" in out
    state = f"SELECT state FROM mcp_job WHERE key = 'elsewhere-{status}'"
    odoo_shell(module.checkout, "env.ref('mcp_jobs.cron_send')._trigger()")
    assert eventually(lambda: module.checkout.sql(state) == "sent", 90), "it comes through later"
