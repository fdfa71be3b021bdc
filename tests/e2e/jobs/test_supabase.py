"""`inv supabase.*` and `inv jobs` on a real database, and the cloud's on one with TLS."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scripts.tls import certificates
from tests.e2e.support import images
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.supabase import PROFILE, Local
from tests.e2e.support.tools import on_the_edge
from tests.support.json_documentation import problems
from tests.support.waiting import eventually

REF = "abcdefghijklmnopqrst"
APPLIED = "SELECT version, name FROM supabase_migrations.schema_migrations ORDER BY 1"


def folder(local: Local) -> Path:
    return local.checkout.root / "supabase" / "migrations"


@contextmanager
def aside(paths: list[Path]) -> Iterator[None]:
    """Without these files while the block runs."""
    kept = {path: path.read_bytes() for path in paths}
    for path in paths:
        path.unlink()
    try:
        yield
    finally:
        for path, content in kept.items():
            path.write_bytes(content)


def test_migrating_again_applies_nothing_and_the_books_are_those_of_the_cli(
    supabase: Local,
) -> None:
    done = supabase.checkout.inv("supabase.migrate")
    assert (done.returncode, done.stdout) == (0, "Nothing to apply\n"), done.stderr
    files = sorted(folder(supabase).glob("*.sql"))
    rows = [line.split("|") for line in supabase.psql(APPLIED).splitlines()]
    assert [f"{version}_{name}.sql" for version, name in rows] == [path.name for path in files]
    columns = supabase.psql(
        "SELECT string_agg(column_name || ' ' || data_type, ', ' ORDER BY column_name) FROM"
        " information_schema.columns WHERE table_name = 'schema_migrations'"
    )
    assert columns == "name text, statements ARRAY, version text"
    kept = supabase.psql("SELECT statements[1] FROM supabase_migrations.schema_migrations LIMIT 1")
    assert kept.startswith("-- The job queue")


def test_a_database_with_older_data_is_brought_up_to_date_by_one_of_two(supabase: Local) -> None:
    checkout, files = supabase.checkout, sorted(folder(supabase).glob("*.sql"))
    with aside(files[1:]):
        assert checkout.inv("supabase.reset", "--yes").returncode == 0
    assert supabase.psql(APPLIED).count("\n") == 0
    supabase.psql(
        "INSERT INTO mcp_jobs.jobs (source, job_type, tries_left, priority)"
        " SELECT 'old', 'http', 1, 1 + n % 10 FROM generate_series(1, 1000) n"
    )
    supabase.psql(
        "INSERT INTO mcp_jobs.jobs (source, job_type, tries_left, priority, scheduled_at)"
        " VALUES ('first', 'http', 1, 1, '-infinity'), ('never', 'http', 1, 1, 'infinity')"
    )
    both = [checkout.start("./scripts/inv", "supabase.migrate") for _ in range(2)]
    ends = [(*process.communicate(timeout=120), process.returncode) for process in both]
    assert 0 in {code for _, _, code in ends}, ends
    for _, error, code in ends:
        assert code == 0 or "somebody else is applying it" in error, error
    assert supabase.psql(APPLIED).count("\n") == len(files) - 1
    with supabase.connect() as connection:
        query = "SELECT source, priority FROM mcp_jobs.claim_next_job('w')"
        found = [connection.execute(query).fetchone() for _ in range(1001)]
        assert connection.execute(query).fetchone() is None
    assert {"source": "first", "priority": 1} in found[:101]
    assert {"source": "old", "priority": 1} in found[:101]
    assert supabase.psql("SELECT count(*) FROM mcp_jobs.jobs WHERE status = 'running'") == "1001"


def test_postgrest_is_told_of_every_change_of_the_schema(supabase: Local) -> None:
    with supabase.connect() as connection:
        connection.execute("LISTEN pgrst")
        for change in ("CREATE TABLE public.told (a int)", "DROP TABLE public.told"):
            supabase.psql(change)
            heard = list(connection.notifies(timeout=10, stop_after=1))
            assert [note.payload for note in heard] == ["reload schema"], change


def test_a_migration_that_fails_is_undone_as_a_whole(supabase: Local) -> None:
    broken = folder(supabase) / "20990101000000_broken.sql"
    broken.write_text("CREATE TABLE public.half (a int);\nSELECT 1 / 0;\n")
    try:
        done = supabase.checkout.inv("supabase.migrate")
    finally:
        broken.unlink()
    assert done.returncode == 1
    assert "20990101000000_broken.sql: line " in done.stderr and "division by zero" in done.stderr
    assert supabase.psql("SELECT to_regclass('public.half') IS NULL") == "t"
    assert "broken" not in supabase.psql(APPLIED)
    early = folder(supabase) / "20200101000000_early.sql"
    early.write_text("SELECT 1;")
    try:
        late = supabase.checkout.inv("supabase.migrate")
    finally:
        early.unlink()
    assert late.returncode == 1 and "would come before" in late.stderr


def test_what_was_applied_from_elsewhere_is_told_and_left_alone(supabase: Local) -> None:
    entry = "supabase_migrations.schema_migrations"
    supabase.psql(f"INSERT INTO {entry} VALUES ('20980101000000', NULL, 'theirs')")
    try:
        done = supabase.checkout.inv("supabase.status")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "20980101000000" in done.stdout
    finally:
        supabase.psql(f"DELETE FROM {entry} WHERE version = '20980101000000'")


def test_status_tells_what_runs_for_people_and_machines(supabase: Local) -> None:
    printed = supabase.checkout.inv("supabase.status", "--json").stdout
    assert problems("supabase.status", printed) == []
    rows = json.loads(printed)
    found = {row["what"]: row["state"] for row in rows}
    assert found["supabase_db"] == found["postgrest"] == "healthy"
    assert found["migrations pending"] == "none"
    assert found[supabase.rest.url] == "answers with status 200"
    done = supabase.checkout.inv("supabase.psql", "--command", "SELECT 'hi' AS greeting")
    assert done.returncode == 0 and "hi" in done.stdout


def test_keys_are_shown_on_request_only_and_work(supabase: Local) -> None:
    quiet = supabase.checkout.inv("supabase.keys")
    assert quiet.returncode == 0 and "eyJ" not in quiet.stdout
    assert "eyJ" not in supabase.checkout.inv("supabase.keys", "--json").stdout
    shown = supabase.checkout.inv("supabase.keys", "--show", "--days", "1", "--json")
    assert problems("supabase.keys", shown.stdout) == []
    tokens = {row["role"]: row["token"] for row in json.loads(shown.stdout)}
    assert supabase.rest.ask("GET", "jobs", tokens["service_role"], limit="1").status_code == 200
    assert supabase.rest.ask("GET", "jobs", tokens["anon"], limit="1").status_code == 401
    path = supabase.checkout.root / "secrets" / "supabase_jwt_secret.txt"
    kept = path.read_text()
    path.write_text("your-jwt-secret\n")
    try:
        weak = supabase.checkout.inv("supabase.keys", "--show")
    finally:
        path.write_text(kept)
    assert weak.returncode == 2 and weak.stdout == "" and "supabase_jwt_secret" in weak.stderr


def test_reset_asks_and_without_an_image_says_what_runs(supabase: Local) -> None:
    refused = supabase.checkout.inv("supabase.reset")
    assert refused.returncode == 1 and "nothing was destroyed" in refused.stderr
    missing = {"POSTGREST_IMAGE": "localhost/ipai/there-is-none:1", "IMAGE_SOURCE": "debian"}
    try:
        done = supabase.checkout.inv("supabase.reset", "--yes", **missing)
        assert done.returncode == 1
        assert "supabase_db is up, PostgREST is not" in done.stderr and "hint: " in done.stderr
        assert supabase.psql("SELECT count(*) FROM mcp_jobs.jobs") == "0"
    finally:
        start = supabase.checkout.compose(*PROFILE, "up", "-d", "--wait", "postgrest")
        assert start.returncode == 0, start.stderr


def test_jobs_are_driven_from_the_command_line(queue: Local) -> None:
    checkout = queue.checkout
    payload = checkout.root / "payload.json"
    payload.write_text('{"text": "it\'s ✓"}')
    wish = ["--source", "cli", "--type", "notify_slack", "--payload", f"@{payload}"]
    wish += ["--priority", "2", "--max-retries", "0", "--key", "once"]
    made = checkout.inv("jobs.enqueue", *wish)
    assert made.returncode == 0, made.stderr
    job = made.stdout.strip()
    printed = checkout.inv("jobs.enqueue", *wish, "--json").stdout
    assert problems("jobs.enqueue", printed) == [] and json.loads(printed)["id"] == job
    other = checkout.inv("jobs.enqueue", *wish[:4], "--payload", "{}", "--key", "once")
    assert other.returncode == 1 and "belongs to another job" in other.stderr
    for wrong in (["--payload", "["], ["--at", "soon"], ["--priority", "11"]):
        assert checkout.inv("jobs.enqueue", *wrong).returncode == 2
    printed = checkout.inv("jobs", "--status", "queued", "--json").stdout
    assert problems("jobs", printed) == []
    (listed,) = json.loads(printed)
    assert (listed["id"], listed["priority"]) == (job, 2)
    queue.rest.call("claim_next_job", p_worker_id="w")
    queue.rest.call("fail_job", p_job_id=job, p_worker_id="w", p_error="no luck")
    dead = checkout.inv("jobs.dead")
    assert job in dead.stdout and "no luck" in dead.stdout
    shown = checkout.inv("jobs.show", job)
    assert "attempt 1: failed by w" in shown.stdout and "it's ✓" in shown.stdout
    for command in ("jobs.dead", f"jobs.show {job}", f"jobs.retry {job}"):
        printed = checkout.inv(*command.split(), "--json").stdout
        assert problems(command.split()[0], printed) == []
    again = checkout.inv("jobs.retry", job)
    assert again.returncode == 1 and "only dead and cancelled" in again.stderr
    assert checkout.inv("jobs.show", "0" * 8).returncode == 2


_CLOUD = """
cp /certs/* /tmp/ && chown postgres /tmp/server.* && chmod 600 /tmp/server.*
exec docker-entrypoint.sh postgres -c ssl=on -c ssl_cert_file=/tmp/server.pem \
    -c ssl_key_file=/tmp/server.key
"""
_CLOUD_ROLES = """CREATE ROLE postgres LOGIN CREATEROLE PASSWORD 'p@ss:\\word';
CREATE ROLE anon; CREATE ROLE authenticated; CREATE ROLE service_role BYPASSRLS;
ALTER DATABASE postgres OWNER TO postgres;"""


@pytest.fixture
def cloud(supabase: Local, tmp_path: Path) -> Iterator[Checkout]:
    """A server with TLS that stands for the cloud's: its `postgres` is no superuser."""
    checkout = supabase.checkout
    now = datetime.now(UTC)
    ca = certificates.make_ca(now)
    leaf = certificates.make_leaf(ca, ["cloud.test"], now)
    (tmp_path / "server.pem").write_bytes(leaf.certificate)
    (tmp_path / "server.key").write_bytes(leaf.key)
    secrets = checkout.root / "secrets"
    (secrets / "supabase_cloud_ca.pem").write_bytes(ca.certificate)
    (secrets / "supabase_cloud_db_password.txt").write_text("p@ss:\\word\n")
    network = f"{checkout.project}_edge"
    label = f"com.docker.compose.project={checkout.project}"
    ours = ["--label", label, "--label", "com.docker.compose.network=edge"]
    checkout.run("docker", "network", "create", *ours, network)
    image = images.in_use(checkout)["POSTGRES_IMAGE"]
    options = ["--network-alias", "cloud.test", "--volume", f"{tmp_path}:/certs:ro"]
    options += ["--env", "POSTGRES_USER=admin", "--env", "POSTGRES_PASSWORD=unused"]
    options += ["--entrypoint", "sh", image, "-c", _CLOUD]
    with on_the_edge(checkout, "cloud", *options) as container:
        psql = ["docker", "exec", container, "psql", "-h", "127.0.0.1"]
        psql += ["-U", "admin", "-d", "postgres", "-qc"]
        ready = ["docker", "exec", container, "pg_isready", "-q", "-h", "127.0.0.1"]
        assert eventually(lambda: checkout.run(*ready).returncode == 0, 90)
        psql[2:2] = ["--env", "PGPASSWORD=unused"]
        made = checkout.run(*psql, _CLOUD_ROLES)
        assert made.returncode == 0, made.stderr
        yield checkout
    for name in ("supabase_cloud_ca.pem", "supabase_cloud_db_password.txt"):
        (secrets / name).unlink()


def test_health_tells_of_jobs_that_wait_too_long_or_were_given_up(queue: Local) -> None:
    def look() -> str:
        done = queue.checkout.inv("health", "--only", "supabase-jobs")
        assert done.returncode == 0, done.stdout
        return done.stdout

    psql = ["exec", "-T", "supabase_db", "psql", "-U", "postgres", "-d", "postgres", "-qtc"]

    def sql(query: str) -> None:
        assert queue.checkout.compose(*psql, query).returncode == 0

    sql("SELECT mcp_jobs.enqueue_job('test', 'http', '{}')")
    assert "Supabase jobs: ✓ OK" in look()
    sql(
        "UPDATE mcp_jobs.jobs SET scheduled_at = now() - interval '3 h';"
        " INSERT INTO mcp_jobs.dead_letter_queue"
        " SELECT id, source, job_type, payload, 3, 'status 500' FROM mcp_jobs.jobs"
    )
    told = look()
    assert "Supabase jobs: ! WARNING: 1 jobs wait to be run, the oldest for 3 h; " in told
    assert "1 jobs were given up since yesterday; the last: status 500" in told


def cloud_inv(checkout: Checkout, *argv: str) -> subprocess.CompletedProcess[str]:
    settings = {"SUPABASE_PROJECT_REF": REF, "SUPABASE_CLOUD_HOST": "cloud.test"}
    return checkout.inv(*argv, "--target", "cloud", **settings)


def test_the_cloud_is_asked_about_and_migrated_by_no_superuser(cloud: Checkout) -> None:
    assert cloud.inv("supabase.migrate", "--target", "cloud").returncode == 2
    asked = cloud_inv(cloud, "supabase.migrate")
    assert asked.returncode == 1 and "nothing was applied" in asked.stderr, asked.stderr
    assert cloud_inv(cloud, "supabase.status").returncode == 1, "pending"
    done = cloud_inv(cloud, "supabase.migrate", "--yes")
    assert done.returncode == 0, done.stderr
    assert "mcp_jobs_access" in done.stdout and "word" not in done.stdout + done.stderr
    assert cloud_inv(cloud, "supabase.migrate", "--yes").stdout == "Nothing to apply\n"
    assert cloud_inv(cloud, "supabase.status").returncode == 0
    now = datetime.now(UTC)
    other = certificates.make_ca(now).certificate
    (cloud.root / "secrets" / "supabase_cloud_ca.pem").write_bytes(other)
    forged = cloud_inv(cloud, "supabase.status")
    assert forged.returncode == 1 and "certificate verify failed" in forged.stderr
