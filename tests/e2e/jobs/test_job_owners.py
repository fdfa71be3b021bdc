"""Whose jobs `authenticated` reads, where the headers of a job are, and what `*` may call."""

import uuid
from collections.abc import Iterator

import pytest

from tests.e2e.support.executor import Listener, executor
from tests.e2e.support.supabase import Local, Rest, enqueue, job

_SECRET = "Bearer very-secret-token"
_CALL = {"url": "https://shop.example/", "headers": {"Authorization": _SECRET}}
_TABLES = ("jobs", "job_runs", "job_events", "dead_letter_queue")
_BEFORE = 5  # migrations that were there before jobs had owners
_OLD_JOBS = """SET ROLE service_role;
SELECT mcp_jobs.enqueue_job('old', 'http', '{"url": "u", "headers": {"a": "very-secret-token"}}',
  1, p_max_retries => 0, p_idempotency_key => 'dies');
SELECT mcp_jobs.fail_job((mcp_jobs.claim_next_job('w')).id, 'w', 'no');
SELECT mcp_jobs.enqueue_job('old', 'http', '{"url": "u", "headers": {"a": "very-secret-token"}}',
  p_idempotency_key => 'waits')"""


def read(rest: Rest, user: str | None) -> list[set[str]]:
    """The jobs of which each table has rows for this user, whose token may name nobody."""
    claims = {} if user is None else {"sub": user}
    token = rest.token("authenticated", 600, **claims)
    found = []
    for table in _TABLES:
        answer = rest.ask("GET", table, token)
        assert answer.status_code == 200 and "very-secret-token" not in answer.text
        found.append({row.get("job_id") or row["id"] for row in answer.json()})
    assert rest.ask("GET", "job_headers", token).status_code == 403
    whole = rest.ask("POST", "rpc/whole_payload", token, {"p_job": {}})
    assert whole.status_code in (403, 404)
    return found


def dead_job(queue: Local, **more: str) -> str:
    """A job with headers that was tried, and given up."""
    made = enqueue(queue, "http", _CALL, p_max_retries=0, **more)
    (claimed,) = queue.rest.call("claim_next_job", p_worker_id="w")
    assert claimed["payload"] == _CALL, "the worker needs the headers"
    queue.rest.call("fail_job", p_job_id=made, p_worker_id="w", p_error="no luck")
    return made


def test_a_user_reads_its_own_jobs_only_and_no_headers(queue: Local) -> None:
    own, other = str(uuid.uuid4()), str(uuid.uuid4())
    mine, theirs, nobodys = (
        dead_job(queue, p_owner=own),
        dead_job(queue, p_owner=other),
        dead_job(queue),
    )
    assert read(queue.rest, own) == [{mine}] * len(_TABLES)
    assert read(queue.rest, other) == [{theirs}] * len(_TABLES)
    for user in (None, "", own.upper(), "%"):
        assert read(queue.rest, user) == [set()] * len(_TABLES), user
    service = queue.rest.token("service_role")
    for table in ("jobs", "dead_letter_queue"):
        rows = queue.rest.ask("GET", table, service)
        assert nobodys in rows.text and "very-secret-token" not in rows.text, table
    assert len(queue.rest.ask("GET", "job_headers", service).json()) == 3
    queue.rest.call("retry_job", p_job_id=mine)
    (again,) = queue.rest.call("claim_next_job", p_worker_id="w")
    assert again["payload"] == _CALL


def test_a_job_is_its_callers_however_it_was_made(queue: Local) -> None:
    rest, user = queue.rest, str(uuid.uuid4())
    token = rest.token("service_role", sub=user)
    wish = {"p_source": "t", "p_job_type": "http", "p_payload": _CALL}
    called = rest.ask("POST", "rpc/enqueue_job", token, wish).json()
    row = {"source": "t", "job_type": "http", "tries_left": 1, "payload": _CALL}
    assert rest.ask("POST", "jobs", token, row).status_code == 201
    found = read(rest, user)[0]
    assert called in found and len(found) == 2
    changed = {"payload": {**_CALL, "headers": {"X": "another very-secret-token"}}}
    done = rest.ask("PATCH", "jobs", token, changed, id=f"eq.{called}")
    assert done.status_code == 204 and read(rest, user)[0] == found
    claimed = [rest.call("claim_next_job", p_worker_id="w")[0] for _ in found]
    sent = {job["id"]: job["payload"]["headers"] for job in claimed}
    assert sent.pop(called) == changed["payload"]["headers"]
    assert list(sent.values()) == [_CALL["headers"]]


def test_one_key_with_other_headers_or_another_owner_is_another_wish(queue: Local) -> None:
    wish = {
        "p_source": "t",
        "p_job_type": "http",
        "p_payload": _CALL,
        "p_owner": "a",
        "p_idempotency_key": "k",
    }
    first = queue.rest.call("enqueue_job", **wish)
    assert queue.rest.call("enqueue_job", **wish) == first
    assert queue.rest.call("enqueue_job", **{**wish, "p_owner": None}) == first
    token = queue.rest.token("service_role")
    for other in ({"p_payload": {**_CALL, "headers": {}}}, {"p_owner": "b"}):
        answer = queue.rest.ask("POST", "rpc/enqueue_job", token, {**wish, **other})
        assert answer.status_code == 409, other


def test_what_an_answer_repeats_of_the_headers_is_hidden(queue: Local, listener: Listener) -> None:
    settings = {
        "POSTGREST_URL": queue.rest.url,
        "HTTP_ALLOWED_HOSTS": f"127.0.0.1:{listener.port}",
        "SUPABASE_SERVICE_ROLE_KEY": queue.rest.token("service_role"),
    }
    with executor(**settings) as running:
        good, bad = (
            enqueue(queue, "http", {**_CALL, "url": f"{listener.url}/echo/{status}"})
            for status in (200, 404)
        )
        running.run()
    assert listener.received[-1][2]["authorization"] == _SECRET, "it was sent as it is"
    for made in (good, bad):
        ended = job(queue, made)
        said = ended["last_error"] or ended["result"]["body"]
        assert "***" in said and "very-secret" not in said, said


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    """What jobs call."""
    with Listener().listening() as listening:
        yield listening


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://2130706433:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://0.0.0.0:{port}/",
        "http://169.254.169.254/",
        "http://[::1]/",
        "http://localhost./",
        "https://10.0.0.1/",
    ],
)
def test_a_star_is_no_way_to_addresses_that_are_not_public(
    queue: Local, listener: Listener, url: str
) -> None:
    settings = {
        "POSTGREST_URL": queue.rest.url,
        "HTTP_ALLOWED_HOSTS": f"* *:{listener.port}",
        "SUPABASE_SERVICE_ROLE_KEY": queue.rest.token("service_role"),
    }
    listener.received.clear()
    with executor(**settings) as running:
        made = enqueue(queue, "http", {"url": url.format(port=listener.port)}, p_max_retries=0)
        assert running.run().json()["failed"] == 1
    ended = job(queue, made)
    assert ended["status"] == "dead" and not listener.received
    assert "is not public" in ended["last_error"] or "no address" in ended["last_error"]


def test_jobs_from_before_keep_their_headers_and_belong_to_nobody(supabase: Local) -> None:
    files = sorted((supabase.checkout.root / "supabase" / "migrations").glob("*.sql"))
    before, later = (
        "\n".join(path.read_text() for path in part) for part in (files[:_BEFORE], files[_BEFORE:])
    )
    supabase.psql("CREATE DATABASE older")
    try:
        for script in (before, _OLD_JOBS, later):
            supabase.psql(script, "older")
        rows = supabase.psql(
            "SELECT payload FROM mcp_jobs.jobs UNION ALL "
            "SELECT payload FROM mcp_jobs.dead_letter_queue",
            "older",
        )
        assert rows.splitlines() == ['{"url": "u"}'] * 3
        as_user = """SET ROLE authenticated; SET request.jwt.claims = '{"sub": "a"}';"""
        assert supabase.psql(f"{as_user} SELECT count(*) FROM mcp_jobs.jobs", "older") == "0"
        claimed = "SET ROLE service_role; SELECT payload FROM mcp_jobs.claim_next_job('w')"
        assert "very-secret-token" in supabase.psql(claimed, "older")
    finally:
        supabase.psql("DROP DATABASE older")
