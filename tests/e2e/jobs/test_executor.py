"""The Edge Function run-executor under real Deno, against the real queue."""

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.support.executor import CRON_SECRET, Executor, Listener, executor
from tests.e2e.support.supabase import Local, enqueue, job
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    """What jobs call."""
    with Listener().listening() as listening:
        yield listening


@pytest.fixture
def key(queue: Local) -> str:
    """The service-role key."""
    return queue.rest.token("service_role", 3600)


@pytest.fixture
def running(queue: Local, listener: Listener, key: str) -> Iterator[Executor]:
    """An executor on the queue."""
    with executor(
        POSTGREST_URL=queue.rest.url,
        SUPABASE_SERVICE_ROLE_KEY=key,
        HTTP_ALLOWED_HOSTS=f"127.0.0.1:{listener.port}",
        EXECUTOR_CONCURRENCY="8",
        SLACK_WEBHOOK_URL=f"{listener.url}/slack/very-secret",
    ) as found:
        yield found


def test_every_handler_really_does_it(queue: Local, running: Executor, listener: Listener) -> None:
    call = {"url": f"{listener.url}/called", "method": "PUT", "body": {"a": "ä"}}
    jobs = {
        "http": enqueue(queue, "http", call),
        "webhook": enqueue(queue, "webhook", {"url": f"{listener.url}/hook", "body": {"b": 1}}),
        "slack": enqueue(queue, "notify_slack", {"text": "done ✓"}),
    }
    summary = running.run().json()
    assert (summary["claimed"], summary["completed"]) == (3, 3), summary
    got = {
        path: (method, headers, json.loads(body))
        for method, path, headers, body in listener.received
        if body
    }
    assert got["/called"][0] == "PUT" and got["/called"][2] == {"a": "ä"}
    assert got["/hook"][1]["idempotency-key"] == jobs["webhook"]
    assert got["/slack/very-secret"][2] == {"text": "done ✓"}
    assert job(queue, jobs["http"])["result"] == {"status": 200, "body": "received"}


@pytest.mark.parametrize(
    ("job_type", "payload", "status", "says"),
    [
        ("no_such_type", {}, "dead", "unknown job type no_such_type"),
        ("constructor", {}, "dead", "unknown job type"),
        ("http", {"url": "/404"}, "dead", "status 404"),
        ("http", {"url": "/302"}, "dead", "status 302"),
        ("http", {"url": "/500"}, "queued", "status 500"),
        ("http", {"url": "/429"}, "queued", "status 429"),
        ("http", {"url": "http://169.254.169.254/"}, "dead", "not in HTTP_ALLOWED_HOSTS"),
        ("http", {"url": "file:///etc/passwd"}, "dead", "http://"),
        ("http", {"url": "nonsense"}, "dead", "no address"),
        ("http", {"url": "/200", "method": "CONNECT"}, "dead", "method"),
        ("http", {"url": "/200", "headers": {"a b": "c"}}, "dead", "headers"),
        ("notify_slack", {}, "dead", "text is missing"),
        ("sync_odoo", {"model": "res.partner", "method": "create"}, "queued", "have to be set"),
        ("http", {"url": "/large"}, "completed", None),
        ("http", {"url": "/odd"}, "completed", None),
        ("http", {"url": "/odd/404"}, "dead", "status 404: xxx"),
    ],
)
def test_a_failure_is_told_and_tried_again_only_where_that_helps(
    queue: Local,
    running: Executor,
    listener: Listener,
    job_type: str,
    payload: dict[str, Any],
    status: str,
    says: str | None,
) -> None:
    if payload.get("url", "").startswith("/"):
        payload = {**payload, "url": listener.url + payload["url"]}
    made = enqueue(queue, job_type, payload)
    assert running.run().status_code == 200
    found = job(queue, made)
    assert found["status"] == status, found
    assert says is None or says in found["last_error"]


def test_a_handler_that_gets_no_answer_ends_at_its_deadline(
    queue: Local, running: Executor, listener: Listener
) -> None:
    slow = enqueue(queue, "http", {"url": f"{listener.url}/hang"}, p_timeout_seconds=2)
    quick = enqueue(queue, "http", {"url": f"{listener.url}/200"}, p_priority=9)
    started = time.monotonic()
    summary = running.run().json()
    assert (summary["failed"], summary["completed"]) == (1, 1), summary
    assert time.monotonic() - started < 8
    assert job(queue, slow)["last_error"] == "no end within 1.8 s"
    assert job(queue, slow)["status"] == "queued" and job(queue, quick)["status"] == "completed"


def test_only_cron_and_the_service_role_may_call(queue: Local, running: Executor, key: str) -> None:
    made = enqueue(queue, "no_such_type", {})
    for secret in ("", "wrong", CRON_SECRET[:-1] + "H", "x" * 100_00):
        assert running.run(secret).status_code == 401
    for token in (queue.rest.token("anon"), queue.rest.token("service_role", 60, jti="x"), "null"):
        assert running.get("stats", Authorization=f"Bearer {token}").status_code == 401
    assert job(queue, made)["attempts"] == 0
    stats = running.get("stats", Authorization=f"Bearer {key}")
    assert stats.json()["queued"] == 1
    assert running.get("health").json() == {"status": "ok"}
    assert running.get("other").status_code == 404
    assert not [name for name in stats.headers if name.lower().startswith("access-control")]


def test_one_page_may_call_from_a_browser_if_it_is_named(queue: Local, key: str) -> None:
    page = "https://shop.example"
    with executor(
        POSTGREST_URL=queue.rest.url, SUPABASE_SERVICE_ROLE_KEY=key, EXECUTOR_CORS_ORIGIN=page
    ) as named:
        for origin, told in ((page, page), ("https://evil.example", None), (page + ".evil", None)):
            answer = named.get("health", Origin=origin)
            assert answer.headers.get("Access-Control-Allow-Origin") == told
        assert named.run("wrong").status_code == 401


@pytest.mark.parametrize("secret", ["", "short"])
def test_an_unset_secret_refuses_everybody(queue: Local, key: str, secret: str) -> None:
    with executor(POSTGREST_URL=queue.rest.url, CRON_SECRET=secret) as bare:
        for given in ("", secret, "undefined", "null"):
            assert bare.run(given).status_code == 401
        for token in ("", "undefined", "null", key):
            assert bare.get("stats", Authorization=f"Bearer {token}").status_code == 401
        assert bare.get("health").status_code == 503


@pytest.mark.parametrize(
    ("gone", "says"),
    [
        ("postgrest", "the queue cannot be reached"),
        pytest.param("supabase_db", "", marks=pytest.mark.extended),
    ],
)
def test_with_its_database_gone_it_says_so_and_goes_on_later(
    queue: Local, running: Executor, listener: Listener, gone: str, says: str
) -> None:
    made = enqueue(queue, "http", {"url": f"{listener.url}/200"})
    pause = ["--profile", "supabase", "stop", "-t", "2"]
    assert queue.checkout.compose(*pause, gone).returncode == 0
    try:
        for _ in range(2):
            answer = running.run()
            assert answer.status_code == 503
            assert says in answer.json()["error"]
        assert running.get("health").status_code == 503
    finally:
        start = ["--profile", "supabase", "up", "-d", "--wait", "supabase_db", "postgrest"]
        assert queue.checkout.compose(*start).returncode == 0
    assert eventually(lambda: running.run().json().get("completed") == 1, 30)
    assert job(queue, made)["status"] == "completed"


def test_a_job_that_was_killed_with_its_executor_is_run_by_the_next(
    queue: Local, listener: Listener, key: str
) -> None:
    settings = {
        "POSTGREST_URL": queue.rest.url,
        "SUPABASE_SERVICE_ROLE_KEY": key,
        "HTTP_ALLOWED_HOSTS": f"127.0.0.1:{listener.port}",
    }
    listener.hang.clear()
    made = enqueue(queue, "http", {"url": f"{listener.url}/hang"}, p_timeout_seconds=3)
    with executor(**settings) as first:
        secret = f"X-CRON-SECRET: {CRON_SECRET}"
        caller = subprocess.Popen(["curl", "-s", "-X", "POST", "-H", secret, first.url])
        assert eventually(lambda: job(queue, made)["status"] == "running", 20)
    caller.wait(30)
    listener.hang.set()
    time.sleep(3.1)
    with executor(**settings) as second:
        assert second.run().json()["reaped"] == 1
        queue.psql("UPDATE mcp_jobs.jobs SET scheduled_at = now()")
        assert second.run().json()["completed"] == 1
    runs = {"job_id": f"eq.{made}", "order": "attempt", "select": "status"}
    found = queue.rest.ask("GET", "job_runs", queue.rest.token("service_role"), **runs).json()
    assert [run["status"] for run in found] == ["timed_out", "completed"]


def test_with_odoo_gone_a_job_waits_for_it(queue: Local, key: str, listener: Listener) -> None:
    odoo = {
        "ODOO_URL": "http://127.0.0.1:9",
        "ODOO_DATABASE": "odoo",
        "ODOO_API_KEY": "k" * 40,
        "ODOO_LOGIN": "admin",
    }
    with executor(POSTGREST_URL=queue.rest.url, SUPABASE_SERVICE_ROLE_KEY=key, **odoo) as gone:
        made = enqueue(queue, "sync_odoo", {"model": "res.partner", "method": "search"})
        assert gone.run().json()["failed"] == 1
    found = job(queue, made)
    assert found["status"] == "queued" and "cannot be reached" in found["last_error"]
    assert "kkkk" not in found["last_error"]


def test_two_executors_at_once_share_the_work(
    queue: Local, running: Executor, listener: Listener, key: str
) -> None:
    listener.received.clear()
    for number in range(60):
        enqueue(queue, "http", {"url": f"{listener.url}/n/{number}/x"})
    with executor(
        POSTGREST_URL=queue.rest.url,
        SUPABASE_SERVICE_ROLE_KEY=key,
        HTTP_ALLOWED_HOSTS=f"127.0.0.1:{listener.port}",
    ) as other:
        command = ["curl", "-s", "-X", "POST", "-H", f"Authorization: Bearer {key}", other.url]
        beside = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        mine = running.run().json()
        theirs = json.loads(beside.communicate(timeout=60)[0])
    assert mine["completed"] + theirs["completed"] == 60
    assert sorted(path for _, path, _, _ in listener.received) == sorted(
        f"/n/{number}/x" for number in range(60)
    )
