"""Jobs a second, claimed and completed, against other queues; the executor's memory.

Needs Docker, what `inv test` installs, and npm:
    .venv/bin/python benchmarks/jobs.py [JOBS] [ROUNDS]
Each queue runs the same number of jobs that do nothing with 1, 8 and 32 workers, the queues in
turn within a round, so that a noisy machine hits all of them. Ours and the plain table are
driven by pgbench (no client to wait for), graphile-worker by itself, as it has no other way.
The plain table has no retries, runs, events or metrics: it is the least that a queue can cost.
Then one executor runs 10,000 jobs through a stand-in for PostgREST.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.e2e.support.checkout import Checkout  # noqa: E402
from tests.e2e.support.executor import Listener, executor  # noqa: E402
from tests.e2e.support.supabase import Local  # noqa: E402

WORKERS = (1, 8, 32)
EXECUTED = 10_000
OURS = """SELECT id FROM mcp_jobs.claim_next_job('w' || :client_id) \\gset
SELECT status FROM mcp_jobs.complete_job(:id::uuid, 'w' || :client_id);
"""
PLAIN = """BEGIN;
SELECT id FROM bench.jobs WHERE status = 'queued' ORDER BY priority, id LIMIT 1 FOR UPDATE \\gset
UPDATE bench.jobs SET status = 'running' WHERE id = :id::bigint;
COMMIT;
UPDATE bench.jobs SET status = 'completed' WHERE id = :id::bigint;
"""
FILL_OURS = """SELECT count(mcp_jobs.enqueue_job('bench', 'nothing', '{{}}', 1 + n % 10))
FROM generate_series(1, {}) n"""
MAKE_PLAIN = """CREATE SCHEMA bench;
CREATE TABLE bench.jobs (id bigserial PRIMARY KEY, priority int, status text DEFAULT 'queued',
                         payload jsonb DEFAULT '{}');
CREATE INDEX ON bench.jobs (priority, id) WHERE status = 'queued';"""
FILL_PLAIN = """TRUNCATE bench.jobs;
INSERT INTO bench.jobs (priority) SELECT 1 + n % 10 FROM generate_series(1, {}) n"""


def pgbench(local: Local, script: str, jobs: int, workers: int) -> float:
    """Jobs a second."""
    each = jobs // workers
    options = ["-n", "-M", "prepared", "-c", str(workers), "-j", "2", "-t", str(each)]
    command = ["pgbench", "-U", "postgres", "-h", "/var/run/postgresql", *options, "-f",
               "/dev/stdin", "postgres"]  # fmt: skip
    service = ["docker", "compose", "exec", "-T", "supabase_db", *command]
    done = subprocess.run(service, cwd=local.checkout.root, env=local.checkout.environment(),
                          input=script, capture_output=True, text=True, check=False)  # fmt: skip
    rate = re.search(r"tps = ([\d.]+)", done.stdout)
    if not rate or "number of failed transactions: 0" not in done.stdout:
        raise SystemExit(done.stdout + done.stderr)
    return float(rate[1])


def ours(local: Local, jobs: int, workers: int) -> float:
    """mcp_jobs."""
    local.clean()
    local.psql(FILL_OURS.format(jobs))
    local.psql("ANALYZE mcp_jobs.jobs")
    rate = pgbench(local, OURS, jobs, workers)
    left = local.psql("SELECT count(*) FROM mcp_jobs.jobs WHERE status <> 'completed'")
    assert int(left) == jobs % workers, left
    return rate


def plain(local: Local, jobs: int, workers: int) -> float:
    """The table."""
    local.psql(FILL_PLAIN.format(jobs))
    local.psql("ANALYZE bench.jobs")
    return pgbench(local, PLAIN, jobs, workers)


def graphile(local: Local, jobs: int, workers: int) -> float:
    """graphile-worker under Node."""
    database = f"postgres://bench:bench@{local.address}:5432/postgres"
    argv = ["node", "drain.mjs", str(jobs), str(workers)]
    done = subprocess.run(argv, cwd=local.checkout.root / "benchmarks" / "graphile",
                          env={**os.environ, "BENCH_DATABASE": database}, capture_output=True,
                          text=True, check=False, timeout=600)  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return jobs / float(done.stdout.split()[-1])


def compare(local: Local, jobs: int, rounds: int) -> None:
    """Print the table and the ratios."""
    local.psql(MAKE_PLAIN)
    local.psql("CREATE ROLE bench LOGIN SUPERUSER PASSWORD 'bench'")
    folder = local.checkout.root / "benchmarks" / "graphile"
    subprocess.run(["npm", "ci", "--silent", "--no-audit"], cwd=folder, check=True)
    rivals = {"mcp_jobs": ours, "plain FOR UPDATE": plain, "graphile-worker": graphile}
    rates: dict[tuple[str, int], list[float]] = {}
    for number in range(rounds):
        for workers in WORKERS:
            order = list(rivals) if number % 2 == 0 else list(rivals)[::-1]
            for name in order:
                rates.setdefault((name, workers), []).append(rivals[name](local, jobs, workers))
    print(f"jobs/s, medians of {rounds} rounds of {jobs} jobs")
    print(f"{'workers':18}" + "".join(f"{workers:10}" for workers in WORKERS))
    for name in rivals:
        shown = "".join(f"{statistics.median(rates[name, w]):10.0f}" for w in WORKERS)
        print(f"{name:18}{shown}")
    for name in list(rivals)[1:]:
        pairs = {w: zip(rates["mcp_jobs", w], rates[name, w], strict=True) for w in WORKERS}
        ratios = [statistics.median([a / b for a, b in pairs[w]]) for w in WORKERS]
        print(f"{'/ ' + name:18}" + "".join(f"{ratio:10.2f}" for ratio in ratios))


def resident(pid: int) -> float:
    """MiB of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found
    return int(found[1]) / 1024


def memory(local: Local) -> None:
    """Print what the executor holds after each 2,000 jobs."""
    local.clean()
    with Listener().listening() as listener, executor(
        POSTGREST_URL=local.rest.url, HTTP_ALLOWED_HOSTS=f"127.0.0.1:{listener.port}",
        SUPABASE_SERVICE_ROLE_KEY=local.rest.token("service_role", 86400),
        EXECUTOR_MAX_JOBS="500", EXECUTOR_SECONDS="60", EXECUTOR_CONCURRENCY="8",
    ) as running:  # fmt: skip
        local.psql(
            "SELECT count(mcp_jobs.enqueue_job('bench', 'http', jsonb_build_object('url',"
            f" '{listener.url}/200'))) FROM generate_series(1, {EXECUTED})"
        )
        shown = [f"start {resident(running.process.pid):.0f}"]
        for done in range(2000, EXECUTED + 1, 2000):
            completed = 0
            while completed < 2000:  # a call that outlives its client goes on, so: short ones
                summary = running.run().json()
                completed += summary["completed"]
                if not summary["claimed"]:
                    break
            shown.append(f"{done} {resident(running.process.pid):.0f}")
            listener.received.clear()
        left = local.psql("SELECT count(*) FROM mcp_jobs.jobs WHERE status <> 'completed'")
        print(f"executor, MiB resident after jobs: {', '.join(shown)}; {left} left")


def main() -> None:
    """Start a database of its own, measure, remove it."""
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 3200
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with tempfile.TemporaryDirectory() as folder:
        checkout = Checkout.clone(Path(folder) / "clone")
        try:
            local = Local.start_new(checkout)
            compare(local, jobs, rounds)
            memory(local)
        finally:
            checkout.destroy()


main()
