"""The job queue in PostgreSQL itself: concurrency, retries, retention."""

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from psycopg.errors import DatabaseError

from tests.e2e.support.supabase import ENQUEUE, Connection, Local, claim, one

WORKERS = 100


def fill(connection: Connection, count: int) -> None:
    """So many jobs of all priorities, in random order."""
    priorities = [n % 10 + 1 for n in range(count)]
    random.Random(7).shuffle(priorities)
    query = """SELECT mcp_jobs.enqueue_job('test', 'http', jsonb_build_object('n', n), p)
               FROM unnest(%s::int[]) WITH ORDINALITY AS _(p, n)"""
    connection.execute(query, (priorities,))


@pytest.mark.parametrize("jobs", [1000, pytest.param(5000, marks=pytest.mark.extended)])
def test_a_hundred_workers_run_thousands_of_jobs_once_each_in_order(
    queue: Local, jobs: int
) -> None:
    with queue.connect() as connection:
        fill(connection, jobs)
    address, gate = queue.address, Barrier(WORKERS)

    def work(number: int) -> list[tuple[int, int]]:
        done = []
        with queue.connect(address=address) as connection:
            gate.wait(300)
            while job := claim(connection, f"w{number}"):
                done.append((job["payload"]["n"], job["priority"]))
                one(
                    connection,
                    "SELECT * FROM mcp_jobs.complete_job(%s, %s)",
                    job["id"],
                    f"w{number}",
                )
        return done

    with ThreadPoolExecutor(WORKERS) as pool:
        results = [pair for done in pool.map(work, range(WORKERS)) for pair in done]
    assert sorted(n for n, _ in results) == list(range(1, jobs + 1)), "each once, none lost"
    with queue.connect() as connection:
        runs = connection.execute("SELECT status, count(*) FROM mcp_jobs.job_runs GROUP BY 1")
        assert [tuple(row.values()) for row in runs] == [("completed", jobs)]
        order = connection.execute("SELECT priority FROM mcp_jobs.jobs ORDER BY claimed_at")
        claimed = [row["priority"] for row in order]
        counted = connection.execute(
            "SELECT event, sum(count)::int AS n FROM mcp_jobs.metrics GROUP BY 1"
        )
        assert {row["event"]: row["n"] for row in counted} == dict.fromkeys(
            ("enqueued", "claimed", "completed"), jobs
        )
    # Workers that were at it together change places at the edge between two priorities; one
    # that a busy machine lets wait may come in later still.
    pairs = zip(claimed, sorted(claimed), strict=True)
    assert sum(abs(mine - strict) > 1 for mine, strict in pairs) <= WORKERS


def test_one_worker_takes_them_by_priority_then_by_schedule(queue: Local) -> None:
    with queue.connect() as connection:
        fill(connection, 50)
        taken = [claim(connection) for _ in range(50)]
        assert claim(connection) is None
    keys = [(job["priority"], job["scheduled_at"], job["seq"]) for job in taken]
    assert keys == sorted(keys)


def test_a_job_for_later_or_of_another_source_or_type_is_left_alone(queue: Local) -> None:
    later = "SELECT mcp_jobs.enqueue_job('a', 't', '{}', 1, now() + interval '1.2 s', 3)"
    with queue.connect() as connection:
        connection.execute(later)
        connection.execute("SELECT mcp_jobs.enqueue_job('b', 't', '{}', 2)")
        assert claim(connection, source="c") is None
        types = "SELECT source FROM mcp_jobs.claim_next_job('w', NULL, %s)"
        assert connection.execute(types, (["x"],)).fetchone() is None
        assert claim(connection)["source"] == "b"
        assert claim(connection) is None
        time.sleep(1.3)
        assert claim(connection, source="a")["priority"] == 1


def test_the_jobs_of_killed_workers_are_reaped_and_run_by_others(queue: Local) -> None:
    with queue.connect() as connection:
        for _ in range(6):
            connection.execute("SELECT mcp_jobs.enqueue_job('t', 't', p_timeout_seconds => 3)")
        victims = [queue.connect() for _ in range(6)]
        for number, victim in enumerate(victims):
            if number >= 3:  # killed in the middle of claiming: nothing has happened
                victim.execute("BEGIN")
            assert claim(victim, f"victim{number}")
        pids = [victim.info.backend_pid for victim in victims]
        queue.psql(f"SELECT pg_terminate_backend(pid) FROM unnest(ARRAY{pids}) AS pid")
        assert one(connection, "SELECT mcp_jobs.reap_stuck_jobs() AS n")["n"] == 0, "too early"
        time.sleep(3.1)
        assert one(connection, "SELECT mcp_jobs.reap_stuck_jobs() AS n")["n"] == 3
        states = connection.execute("SELECT status, attempts FROM mcp_jobs.jobs").fetchall()
        assert Counter(tuple(row.values()) for row in states) == {
            ("queued", 0): 3,
            ("queued", 1): 3,
        }
        lost = one(connection, "SELECT * FROM mcp_jobs.job_runs WHERE worker_id = 'victim0'")
        assert lost["status"] == "timed_out" and "victim0" in lost["error"]
        connection.execute("UPDATE mcp_jobs.jobs SET scheduled_at = now()")
        late = lost["job_id"]
        for _ in range(6):
            job = claim(connection, "heir")
            if job["id"] == late:
                with pytest.raises(DatabaseError) as refused:
                    connection.execute("SELECT mcp_jobs.complete_job(%s, 'victim0')", (late,))
                assert refused.value.sqlstate == "PT409"
            connection.execute("SELECT mcp_jobs.complete_job(%s, 'heir')", (job["id"],))
        done = one(connection, "SELECT count(*) AS n FROM mcp_jobs.jobs WHERE status='completed'")
        assert done["n"] == 6


def test_an_old_attempt_of_the_same_worker_cannot_complete_the_new_one(queue: Local) -> None:
    with queue.connect() as connection:
        connection.execute(ENQUEUE, ("{}", 5))
        job = claim(connection)
        connection.execute("SELECT mcp_jobs.fail_job(%s, 'w1', 'once')", (job["id"],))
        connection.execute("UPDATE mcp_jobs.jobs SET scheduled_at = now()")
        assert claim(connection)["attempts"] == 2
        complete = "SELECT (mcp_jobs.complete_job(%s, 'w1', NULL, %s)).status"
        with pytest.raises(DatabaseError):
            connection.execute(complete, (job["id"], 1))
        assert one(connection, complete, job["id"], 2)["status"] == "completed"


def test_after_the_last_try_a_job_is_dead_and_can_be_revived(queue: Local) -> None:
    with queue.connect() as connection:
        add = "SELECT mcp_jobs.enqueue_job('t', 'http', '{\"a\": 1}', 5, now(), 2) AS id"
        job_id = one(connection, add)["id"]
        waits = []
        for _ in range(3):
            assert claim(connection)["id"] == job_id
            fail = "SELECT j.*, scheduled_at - now() AS wait FROM mcp_jobs.fail_job(%s, 'w1', %s) j"
            failed = one(connection, fail, job_id, 'it\'s "broken" \\ ✗')
            waits.append(failed["wait"].total_seconds())
            connection.execute("UPDATE mcp_jobs.jobs SET scheduled_at = now()")
        assert failed["status"] == "dead"
        assert 2.4 < waits[0] <= 5.1 and 4.9 < waits[1] <= 10.1
        dead = one(connection, "SELECT * FROM mcp_jobs.dead_letter_queue")
        assert (dead["job_id"], dead["attempts"], dead["payload"]) == (job_id, 3, {"a": 1})
        assert dead["last_error"] == 'it\'s "broken" \\ ✗'
        assert claim(connection) is None
        revived = one(connection, "SELECT * FROM mcp_jobs.retry_job(%s)", job_id)
        assert (revived["status"], revived["tries_left"]) == ("queued", 3)
        assert not connection.execute("SELECT * FROM mcp_jobs.dead_letter_queue").fetchall()
        assert claim(connection)["attempts"] == 4
        connection.execute("SELECT mcp_jobs.complete_job(%s, 'w1')", (job_id,))
        events = connection.execute("SELECT event FROM mcp_jobs.job_events ORDER BY id")
        assert [e["event"] for e in events] == [
            "enqueued",
            *["claimed", "failed"] * 3,
            "dead",
            "retried",
            "claimed",
            "completed",
        ]


def test_the_backoff_doubles_up_to_an_hour_and_is_never_the_same(queue: Local) -> None:
    query = """SELECT n, min(s)::float AS least, max(s)::float AS most,
                      count(DISTINCT s) AS different
               FROM (SELECT n, extract(epoch FROM mcp_jobs.backoff(n)) AS s
                     FROM generate_series(1, 30) n, generate_series(1, 50)) x
               GROUP BY n ORDER BY n"""
    with queue.connect() as connection:
        rows = connection.execute(query).fetchall()
    for row in rows:
        full = min(3600, 5 * 2 ** (row["n"] - 1))
        assert full / 2 <= row["least"] < row["most"] <= full
        assert row["different"] > 40


def test_a_job_that_failed_for_good_is_not_tried_again(queue: Local) -> None:
    with queue.connect() as connection:
        connection.execute(ENQUEUE, ("{}", 5))
        job = claim(connection)
        fail = "SELECT status FROM mcp_jobs.fail_job(%s, 'w1', 'unknown job type', false)"
        assert one(connection, fail, job["id"])["status"] == "dead"


def test_a_cancelled_job_is_not_run_and_its_worker_is_told(queue: Local) -> None:
    with queue.connect() as connection:
        waiting = one(connection, ENQUEUE, "{}", 9)["id"]
        running = one(connection, ENQUEUE, "{}", 1)["id"]
        assert claim(connection)["id"] == running
        for job_id in (waiting, running):
            cancel = "SELECT status FROM mcp_jobs.cancel_job(%s, 'no need')"
            assert one(connection, cancel, job_id)["status"] == "cancelled"
        assert claim(connection) is None
        for query in ("SELECT mcp_jobs.complete_job(%s, 'w1')", "SELECT mcp_jobs.cancel_job(%s)"):
            with pytest.raises(DatabaseError) as refused:
                connection.execute(query, (running,))
            assert refused.value.sqlstate == "PT409"


def test_fifty_producers_with_one_key_make_one_job(queue: Local) -> None:
    address, gate = queue.address, Barrier(50)
    query = "SELECT mcp_jobs.enqueue_job('t', 'http', '{}', p_idempotency_key => 'k') AS id"

    def produce(_: int) -> Any:
        with queue.connect(address=address) as connection:
            gate.wait(60)
            return one(connection, query)["id"]

    with ThreadPoolExecutor(50) as pool:
        given = set(pool.map(produce, range(50)))
    assert len(given) == 1
    with queue.connect() as connection:
        assert one(connection, "SELECT count(*) AS n FROM mcp_jobs.jobs")["n"] == 1
        other = query.replace("'{}'", "'{\"other\": 1}'")
        with pytest.raises(DatabaseError, match="belongs to another job") as refused:
            connection.execute(other)
        assert refused.value.sqlstate == "PT409"


def test_what_is_old_is_purged_the_dead_later_and_metrics_are_added_up(queue: Local) -> None:
    age = (
        "UPDATE mcp_jobs.jobs SET finished_at = now() - interval '31 days' WHERE status <> 'queued'"
    )
    with queue.connect() as connection:
        fill(connection, 5)
        for _ in range(3):
            connection.execute(
                "SELECT mcp_jobs.complete_job(id, 'w1') FROM mcp_jobs.claim_next_job('w1')"
            )
        dying = claim(connection)["id"]
        connection.execute("SELECT mcp_jobs.fail_job(%s, 'w1', 'x', false)", (dying,))
        connection.execute(age)
        with queue.connect() as other:  # the same minute, another row
            fill(other, 1)
        count = "SELECT count(*)::int AS n, sum(count)::int AS events FROM mcp_jobs.metrics"
        recent = "minute > now() - interval '1 hour'"
        connection.execute(f"UPDATE mcp_jobs.metrics SET minute = '2026-01-01' WHERE {recent}")
        before = one(connection, count)
        assert one(connection, "SELECT mcp_jobs.purge_old_jobs() AS n")["n"] == 3
        left = connection.execute("SELECT status FROM mcp_jobs.jobs").fetchall()
        assert Counter(row["status"] for row in left) == {"queued": 2, "dead": 1}
        after = one(connection, count)
        assert (after["events"], after["n"]) == (before["events"], before["n"] - 1)
        purged = "SELECT mcp_jobs.purge_old_jobs(p_keep_dead => '30 days') AS n"
        assert one(connection, purged)["n"] == 1
        for table in ("job_runs", "dead_letter_queue"):
            assert queue.psql(f"SELECT count(*) FROM mcp_jobs.{table}") == "0"
