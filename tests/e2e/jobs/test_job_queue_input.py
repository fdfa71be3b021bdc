"""What the job queue takes, and what it refuses."""

import json

import pytest
from psycopg.errors import CheckViolation, DatabaseError

from tests.e2e.support.supabase import ENQUEUE, Local, claim, one


@pytest.mark.parametrize(
    "value",
    [
        "'); DROP TABLE mcp_jobs.jobs; --",
        "\\'; SELECT 1",
        "$$",
        "%s",
        "{}\n\\!",
        "\u2028\U0001f4a3",
    ],
)
def test_whatever_is_in_a_payload_comes_out_as_it_was(queue: Local, value: str) -> None:
    payload = {value: [value, {"deep": value}], "number": 0.1, "none": None}
    with queue.connect() as connection:
        connection.execute(ENQUEUE, (json.dumps(payload), 5))
        job = claim(connection, "w; DROP".replace(" ", "_"))
        assert job["payload"] == payload
        result = "SELECT result FROM mcp_jobs.complete_job(%s, 'w;_DROP', %s)"
        assert one(connection, result, job["id"], json.dumps(payload))["result"] == payload


@pytest.mark.parametrize(
    ("payload", "priority"),
    [
        ("[1]", 5),
        ("null", 5),
        ('"text"', 5),
        ("{}", 0),
        ("{}", 11),
        ("{", 5),
        ('{"a": "\\u0000"}', 5),
        (json.dumps({"a": "x" * 300_000}), 5),
        ("[" * 20_000 + "]" * 20_000, 5),
    ],
    ids=lambda value: str(value)[:12],
)
def test_what_is_no_payload_is_refused(queue: Local, payload: str, priority: int) -> None:
    with queue.connect() as connection:
        with pytest.raises(DatabaseError):
            connection.execute(ENQUEUE, (payload, priority))
        assert claim(connection) is None


@pytest.mark.parametrize("name", ["", "a b", "a'b", "x" * 101, "é"])
def test_a_source_or_type_is_a_plain_name(queue: Local, name: str) -> None:
    with queue.connect() as connection, pytest.raises(CheckViolation):
        connection.execute("SELECT mcp_jobs.enqueue_job(%s, 'http')", (name,))


@pytest.mark.parametrize("moment", ["-infinity", "infinity"])
def test_what_is_no_moment_is_refused_and_holds_nobody_up(queue: Local, moment: str) -> None:
    later = "SELECT mcp_jobs.enqueue_job('t', 'http', '{}', 1, %s)"
    with queue.connect() as connection:
        connection.execute(ENQUEUE, ("{}", 5))
        with pytest.raises(CheckViolation):
            connection.execute(later, (moment,))
        assert claim(connection)["priority"] == 5
