"""The queue over HTTP: tokens, roles, errors.

Each test asks a stand-in that was written from PostgREST's documentation, because its image
may be out of reach, and with --postgrest URL a true PostgREST, too. The tests are the same.
"""

import base64
import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest

from scripts.core.settings import ROOT
from tests.e2e.support.supabase import Local, Rest

_TRUE = "a true PostgREST"
_TABLES = ("jobs", "job_runs", "job_events", "dead_letter_queue", "metrics")
_MOST_ROWS = 1000  # PGRST_DB_MAX_ROWS of compose.yaml
_ENQUEUE = {"p_source": "rest", "p_job_type": "http", "p_payload": {"a": 1}}


@pytest.fixture(params=["the stand-in", _TRUE])
def rest(request: pytest.FixtureRequest) -> Iterator[Rest]:
    """Whoever answers."""
    if request.param != _TRUE:
        local: Local = request.getfixturevalue("supabase")
        yield local.rest
        return
    url = request.config.getoption("--postgrest")
    if not url:
        pytest.skip("no true PostgREST was asked: give --postgrest URL (after inv up --supabase)")
    secret = (ROOT / "secrets" / "supabase_jwt_secret.txt").read_text()
    yield Rest(url.rstrip("/"), "".join(secret.split()))


def unsigned(claims: dict[str, object]) -> str:
    """A token that says it needs no signature."""
    parts = [{"alg": "none", "typ": "JWT"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in parts]
    return b".".join([*encoded, b""]).decode()


def test_a_job_goes_all_its_way(rest: Rest) -> None:
    source = f"way-{uuid.uuid4().hex[:8]}"
    job = rest.call(
        "enqueue_job",
        **{**_ENQUEUE, "p_source": source},
        p_priority=1,
        p_scheduled_at="2026-01-01T00:00:00Z",
        p_max_retries=1,
    )
    claimed = rest.call("claim_next_job", p_worker_id="w", p_source_filter=source)
    assert [(c["id"], c["status"], c["payload"]) for c in claimed] == [(job, "running", {"a": 1})]
    assert rest.call("claim_next_job", p_worker_id="w", p_source_filter=source) == []
    typed = rest.call(
        "claim_next_job", p_worker_id="w", p_source_filter=source, p_job_types=["http", "other"]
    )
    assert typed == []
    done = rest.call("complete_job", p_job_id=job, p_worker_id="w", p_result={"ok": True})
    assert (done["status"], done["result"]) == ("completed", {"ok": True})
    again = rest.ask(
        "POST",
        "rpc/complete_job",
        rest.token("service_role"),
        {"p_job_id": job, "p_worker_id": "w"},
    )
    assert again.status_code == 409 and "no longer" in again.json()["message"]
    runs = rest.ask("GET", "job_runs", rest.token("service_role"), job_id=f"eq.{job}")
    assert [run["status"] for run in runs.json()] == ["completed"]
    order = {"select": "event", "order": "id.desc", "limit": "2", "job_id": f"eq.{job}"}
    events = rest.ask("GET", "job_events", rest.token("service_role"), **order)
    assert events.json() == [{"event": "completed"}, {"event": "claimed"}]


@pytest.mark.parametrize(
    "kind",
    [
        "alg none",
        "expired",
        "wrong key",
        "no role",
        "no expiry",
        "no claims",
        "not yet valid",
        "another algorithm",
        "cut short",
        "no token at all",
        "rubbish",
        "empty",
    ],
)
def test_a_bad_token_is_401_everywhere(rest: Rest, kind: str) -> None:
    good = rest.token("service_role")
    claims = jwt.decode(good, options={"verify_signature": False})
    tokens = {
        "alg none": unsigned(claims),
        "expired": rest.token("service_role", -3600),
        "wrong key": jwt.encode(claims, rest.secret[::-1], algorithm="HS256"),
        "no role": rest.token(None),
        "no expiry": rest.token("service_role", None),
        "no claims": jwt.encode({}, rest.secret, algorithm="HS256"),
        "not yet valid": rest.token("service_role", nbf=claims["iat"] + 3600),
        "another algorithm": jwt.encode(claims, rest.secret, algorithm="HS512"),
        "cut short": good[:-5],
        "no token at all": "",
        "rubbish": "rubbish",
        "empty": " ",
    }
    token = tokens[kind]
    for table in _TABLES:
        assert rest.ask("GET", table, token).status_code == 401, table
    assert rest.ask("POST", "rpc/enqueue_job", token, _ENQUEUE).status_code == 401


@pytest.mark.parametrize(
    ("role", "read", "write"),
    [("anon", 401, 401), ("authenticated", 200, 403), ("service_role", 200, 204)],
)
def test_a_role_reads_and_writes_what_it_should(
    rest: Rest, role: str, read: int, write: int
) -> None:
    token = rest.token(role)
    for table in _TABLES:
        assert rest.ask("GET", table, token, limit="1").status_code == read, table
    for table, column in (("jobs", "id"), ("job_runs", "job_id"), ("dead_letter_queue", "job_id")):
        nobody = {column: f"eq.{uuid.uuid4()}"}
        change = rest.ask(
            "PATCH", table, token, {"last_error" if table != "job_runs" else "error": "x"}, **nobody
        )
        assert change.status_code == write, change.text
        assert rest.ask("DELETE", table, token, **nobody).status_code == write, table
    called = rest.ask("POST", "rpc/enqueue_job", token, _ENQUEUE).status_code
    assert called == (200 if role == "service_role" else read if role == "anon" else 403)
    looked = rest.ask("POST", "rpc/job_stats", token, {}).status_code
    assert looked == read


def test_a_role_that_is_none_of_ours_cannot_be_taken(rest: Rest) -> None:
    for role in ("postgres", "authenticator", "pg_read_server_files", "nobody", 'a"; RESET ROLE'):
        answer = rest.ask("GET", "jobs", rest.token(role))
        assert answer.status_code in (400, 401, 403), f"{role}: {answer.status_code}"


def test_a_schema_that_is_not_offered_cannot_be_read(rest: Rest) -> None:
    for table in ("pg_authid", "pg_catalog.pg_authid", "../pg_authid", 'jobs"; DROP TABLE jobs'):
        answer = rest.ask("GET", table, rest.token("service_role"))
        assert answer.status_code in (400, 404), f"{table}: {answer.status_code}"


@pytest.mark.parametrize("payload", ["'; DROP TABLE mcp_jobs.jobs; --", "$1", "\\u0027", "💣"])
def test_payloads_come_back_as_they_were(rest: Rest, payload: str) -> None:
    source = f"abuse-{uuid.uuid4().hex[:8]}"
    wish = {**_ENQUEUE, "p_source": source, "p_payload": {payload: [payload]}}
    rest.call("enqueue_job", **wish)
    (job,) = rest.call("claim_next_job", p_worker_id="w", p_source_filter=source)
    assert job["payload"] == {payload: [payload]}
    rest.call("cancel_job", p_job_id=job["id"])


@pytest.mark.parametrize(
    "change",
    [
        {"p_priority": 0},
        {"p_priority": "DROP"},
        {"p_payload": [1]},
        {"p_payload": "\u0000"},
        {"p_payload": {"a": "x" * 300_000}},
        {"p_source": "a b"},
        {"p_scheduled_at": "tomorrow-ish"},
        {"p_max_retries": -1},
    ],
    ids=lambda change: str(change)[:24],
)
def test_a_wrong_wish_is_400_and_changes_nothing(rest: Rest, change: dict[str, object]) -> None:
    wish = {**_ENQUEUE, "p_source": f"wrong-{uuid.uuid4().hex[:8]}", **change}
    answer = rest.ask("POST", "rpc/enqueue_job", rest.token("service_role"), wish)
    assert answer.status_code == 400, answer.text
    left = {"source": f"eq.{wish['p_source']}"}
    assert rest.ask("GET", "jobs", rest.token("service_role"), **left).json() == []


def test_an_unknown_function_or_argument_is_404(rest: Rest) -> None:
    token = rest.token("service_role")
    assert rest.ask("POST", "rpc/drop_everything", token, {}).status_code == 404
    wish = {**_ENQUEUE, "p_unknown": 1}
    assert rest.ask("POST", "rpc/enqueue_job", token, wish).status_code == 404


def test_one_key_is_one_job_and_another_wish_is_409(rest: Rest) -> None:
    wish = {**_ENQUEUE, "p_idempotency_key": uuid.uuid4().hex}
    first, second = rest.call("enqueue_job", **wish), rest.call("enqueue_job", **wish)
    assert first == second
    other = {**wish, "p_payload": {"a": 2}}
    answer = rest.ask("POST", "rpc/enqueue_job", rest.token("service_role"), other)
    assert answer.status_code == 409


def test_a_limit_on_rows_is_kept(rest: Rest) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: rest.call("enqueue_job", **_ENQUEUE), range(_MOST_ROWS + 1)))
    for given, found in (("2", 2), (str(_MOST_ROWS + 1), _MOST_ROWS), ("", _MOST_ROWS)):
        wanted = {"select": "id", **({"limit": given} if given else {})}
        answer = rest.ask("GET", "jobs", rest.token("service_role"), **wanted)
        assert len(answer.json()) == found, given
