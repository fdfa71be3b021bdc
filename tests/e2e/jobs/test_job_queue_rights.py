"""Who may do what with the job queue: every role, every table, every function."""

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from tests.e2e.support.supabase import Connection, Local

_COLUMNS = {
    "jobs": "status",
    "job_runs": "error",
    "job_events": "event",
    "dead_letter_queue": "last_error",
    "metrics": "count",
    "job_headers": "headers",
}
_STATEMENTS = {
    "SELECT": "SELECT * FROM mcp_jobs.{}",
    "DELETE": "DELETE FROM mcp_jobs.{}",
    "TRUNCATE": "TRUNCATE mcp_jobs.{} CASCADE",
    "INSERT": "INSERT INTO mcp_jobs.{} DEFAULT VALUES",
    "UPDATE": "UPDATE mcp_jobs.{} SET {} = NULL",
}
_MAY = {
    "anon": set[str](),
    "authenticated": {"SELECT"},
    "service_role": {"SELECT", "DELETE", "INSERT", "UPDATE"},
}


def _allowed(connection: Connection, statement: str) -> bool:
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement.encode())
    except InsufficientPrivilege:
        return False
    except psycopg.Error:
        return True  # it got past the rights
    return True


@pytest.mark.parametrize("role", _MAY)
def test_a_role_may_do_to_every_table_what_it_should_and_no_more(queue: Local, role: str) -> None:
    listed = queue.psql(
        "SELECT relname FROM pg_class WHERE relnamespace='mcp_jobs'::regnamespace"
        " AND relkind IN ('r', 'p', 'v', 'm')"
    )
    assert set(listed.split()) == set(_COLUMNS)
    with queue.connect(role) as connection:
        for table in _COLUMNS:
            for verb, statement in _STATEMENTS.items():
                allowed = _allowed(connection, statement.format(table, _COLUMNS[table]))
                hidden = role == "authenticated" and table == "job_headers"
                expected = verb in _MAY[role] and not hidden
                assert allowed is expected, f"{role} {verb} {table}"


@pytest.mark.parametrize("role", _MAY)
def test_a_role_may_call_every_function_that_it_should_and_no_more(queue: Local, role: str) -> None:
    calls = queue.psql(
        """SELECT format('SELECT mcp_jobs.%I(%s)', proname, (SELECT string_agg(format('NULL::%s',
           t::regtype), ', ') FROM unnest(proargtypes) AS t)) FROM pg_proc
           WHERE pronamespace = 'mcp_jobs'::regnamespace"""
    ).splitlines()
    assert len(calls) == 18
    with queue.connect(role) as connection:
        for call in calls:
            for_all = "job_stats" in call or "caller" in call
            free = role == "service_role" or (role == "authenticated" and for_all)
            assert _allowed(connection, call) is free, f"{role}: {call}"


def test_rights_hold_even_where_somebody_grants_too_much(queue: Local) -> None:
    with queue.connect() as connection:
        connection.execute("SELECT mcp_jobs.enqueue_job('t', 'http')")
    queue.psql("GRANT USAGE ON SCHEMA mcp_jobs TO anon; GRANT ALL ON mcp_jobs.jobs TO anon")
    try:
        with queue.connect("anon") as connection:
            assert not connection.execute("SELECT * FROM mcp_jobs.jobs").fetchall()
    finally:
        queue.psql("REVOKE ALL ON mcp_jobs.jobs FROM anon; REVOKE ALL ON SCHEMA mcp_jobs FROM anon")


def test_no_function_is_open_to_all_runs_as_another_or_trusts_the_search_path(queue: Local) -> None:
    loose = queue.psql(
        """SELECT proname FROM pg_proc WHERE pronamespace = 'mcp_jobs'::regnamespace AND (
           prosecdef OR NOT coalesce('search_path=""' = ANY (proconfig), false)
           OR proacl IS NULL OR EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee = 0))"""
    )
    assert loose == ""
    bare = queue.psql(
        "SELECT relname FROM pg_class WHERE relnamespace = 'mcp_jobs'::regnamespace"
        " AND relkind = 'r' AND NOT relrowsecurity"
    )
    assert bare == ""
