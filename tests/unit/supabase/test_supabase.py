import base64
from pathlib import Path
from typing import Any, Final

import jwt
import pytest

from scripts.core.completed import Completed
from scripts.core.errors import OpsError, UsageError
from scripts.core.settings import Environment, ImageSource, Settings
from scripts.stack import images
from scripts.stack.compose import Stack
from scripts.supabase import jobs, keys, migrations, service
from scripts.supabase.database import Database, Target
from scripts.supabase.jobs import Queue
from tests.conftest import ROOT
from tests.unit.support.fakes import FakeReporter, FakeRunner, says, settings_in

STRONG = base64.b64encode(bytes(range(64))).decode()


def with_secret(folder: Path, value: str) -> Path:
    (folder / "supabase_jwt_secret.txt").write_text(value)
    return folder


def test_a_key_is_signed_with_the_secret_without_its_line_breaks(tmp_path: Path) -> None:
    wrapped = STRONG[:64] + "\n" + STRONG[64:] + "\n"
    for key in keys.for_people(with_secret(tmp_path, wrapped), 30):
        claims = jwt.decode(key.token, STRONG, algorithms=["HS256"])
        assert claims["role"] == key.role
        assert claims["exp"] == key.expires == claims["iat"] + 30 * 86400
        assert jwt.get_unverified_header(key.token) == {"alg": "HS256", "typ": "JWT"}


@pytest.mark.parametrize(
    "value",
    [
        "your-jwt-secret",
        "super-secret-jwt-token-with-at-least-32-characters-long",
        "short1!Aa",
        "a" * 64,
        "abab" * 20,
        base64.b64encode(bytes(range(24))).decode(),
        "",
        "\n",
    ],
)
def test_a_secret_that_could_be_guessed_makes_no_key(tmp_path: Path, value: str) -> None:
    with pytest.raises(UsageError, match=r"supabase_jwt_secret\.txt"):
        keys.make(with_secret(tmp_path, value), "anon", 60)


def test_without_a_secret_there_is_no_key(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        keys.secret(tmp_path)
    assert caught.value.hint == "Run: inv secrets"


@pytest.mark.parametrize("days", [0, -1, 100_000])
def test_a_key_ends_on_a_day_that_can_be_meant(tmp_path: Path, days: int) -> None:
    with pytest.raises(UsageError, match="--days"):
        keys.for_people(with_secret(tmp_path, STRONG), days)


def folder_with(root: Path, **files: str) -> Path:
    folder = root / "supabase" / "migrations"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / f"{name}.sql").write_text(text)
    return root


def test_the_migrations_of_the_project_can_be_applied() -> None:
    found = migrations.found(ROOT)
    assert len(found) >= 4
    assert [m.version for m in found] == sorted(m.version for m in found)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("1_short", "SELECT 1;"),
        ("20260101000000_UPPER", "SELECT 1;"),
        ("20260101000000_a", "BEGIN;\nSELECT 1;"),
        ("20260101000000_a", "SELECT 1;\n commit ;"),
        ("20260101000000_a", "\\! rm -rf /"),
        ("20260101000000_a", "SELECT 1;\n  \\c other"),
        ("20260101000000_a", "SELECT 1 \\g /tmp/out"),
        ("20260101000000_a", "SELECT 1; COMMIT;"),
        ("20260101000000_a", "SELECT ''; commit work;"),
        ("20260101000000_a", "ABORT"),
        ("20260101000000_a", "BEGIN TRANSACTION;"),
        ("20260101000000_a", "SELECT $$a$$; ROLLBACK;"),
        ("20260101000000_a", "SELECT E'it\\'s'; /* ' */ END;"),
        ("20260101000000_a", "-- it's\nCOMMIT AND CHAIN;"),
    ],
)
def test_a_file_that_is_no_migration_is_refused(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(UsageError, match=name.split("_")[0]):
        migrations.found(folder_with(tmp_path, **{name: text}))


@pytest.mark.parametrize(
    "text",
    [
        "DO $$\nBEGIN\n  PERFORM 1;\nEND;\n$$;",
        "DO $_a$ BEGIN COMMIT; END; $_a$;",
        "SAVEPOINT a; ROLLBACK TO a;",
        "INSERT INTO a VALUES ('; COMMIT; \\', E'\\'; COMMIT;');",
        "-- COMMIT;\n/* ;\nEND; */ SELECT 1;",
        "SELECT CASE WHEN a THEN 1 END;",
        'ALTER TABLE a RENAME COLUMN "; END" TO b;',
    ],
)
def test_what_ends_no_transaction_may_stand_in_a_migration(tmp_path: Path, text: str) -> None:
    assert migrations.found(folder_with(tmp_path, **{"20260101000000_a": text}))


def test_two_files_of_one_version_are_refused(tmp_path: Path) -> None:
    root = folder_with(tmp_path, **{"20260101000000_a": "", "20260101000000_b": ""})
    with pytest.raises(UsageError, match="two migrations"):
        migrations.found(root)


def database(root: Path, runner: FakeRunner, target: Target = Target.LOCAL) -> Database:
    return Database(Stack(settings_in(root), runner), target)


def test_what_comes_before_what_is_applied_is_refused(tmp_path: Path) -> None:
    root = folder_with(tmp_path, **{"20260101000000_a": "", "20260201000000_b": ""})
    runner = FakeRunner({"docker compose exec": says("20260201000000\n")})
    with pytest.raises(OpsError, match="20260101000000_a"):
        migrations.migrate(database(root, runner), FakeReporter())
    assert not runner.changing


def test_a_database_that_does_not_run_is_told_from_wrong_sql(tmp_path: Path) -> None:
    runner = FakeRunner({"docker compose exec": says(code=1, stderr='service "x" is not running')})
    with pytest.raises(OpsError) as caught:
        database(tmp_path, runner).run("SELECT 1")
    assert caught.value.hint == "Start it: inv up --supabase"


def test_the_cloud_wants_a_project_and_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="no project"):
        database(tmp_path, FakeRunner(), Target.CLOUD).psql()
    monkeypatch.setenv("SUPABASE_PROJECT_REF", "abcdefghijklmnopqrst")
    stack = Stack(Settings.load(tmp_path), FakeRunner())
    with pytest.raises(UsageError, match="supabase_cloud_db_password"):
        Database(stack, Target.CLOUD).psql()
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "supabase_cloud_db_password.txt").write_text("hush")
    words = Database(stack, Target.CLOUD).psql()
    assert "--env=PGHOST=db.abcdefghijklmnopqrst.supabase.co" in words
    assert "--env=PGUSER=postgres" in words and "hush" not in " ".join(words)
    monkeypatch.setenv("SUPABASE_CLOUD_HOST", "aws-0-eu-west-1.pooler.supabase.com:6543")
    pooled = Database(Stack(Settings.load(tmp_path), FakeRunner()), Target.CLOUD).psql()
    assert "--env=PGUSER=postgres.abcdefghijklmnopqrst" in pooled
    assert "--env=PGPORT=6543" in pooled


def test_the_local_supabase_is_not_for_production(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="development only"):
        service.preflight(settings_in(tmp_path, environment=Environment.PROD))


@pytest.mark.parametrize("source", [ImageSource.DEBIAN, ImageSource.AUTO])
def test_without_a_registry_it_says_what_runs_and_what_does_not(
    tmp_path: Path, source: ImageSource
) -> None:
    for name in ("compose.yaml", "compose.prod.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    unreachable = says(code=1, stderr="dial tcp: lookup registry: no such host")
    answers: dict[str, Completed | OpsError] = {
        "docker image inspect": says(code=1),
        "docker pull": unreachable,
    }
    stack = Stack(settings_in(tmp_path, image_source=source), FakeRunner(answers))
    with pytest.raises(OpsError, match="supabase_db is up, PostgREST is not"):
        images.ensure_postgrest(stack, FakeReporter())


_JOB: Final[dict[str, Any]] = {
    "source": "s", "job_type": "t", "payload": "{}", "priority": 5, "at": "", "max_retries": 3,
    "timeout": 300, "key": "",
}  # fmt: skip
_NO_PAYLOAD = ["{", "[1]", "1", '"a"', "", '{"a": NaN}', "@", "@/nowhere/at/all", "[" * 100_000]


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        *(("payload", value, "--payload|cannot be read") for value in _NO_PAYLOAD),
        ("payload", "@/dev/zero", "more than 262144 characters"),
        ("source", "", "--source '' is no name"),
        ("source", "mé", "--source 'mé' is no name"),
        ("job_type", "two words", "--type 'two words' is no name"),
        ("priority", 0, "--priority 0 is not between 1 and 10"),
        ("priority", 11, "--priority 11 is not between 1 and 10"),
        ("max_retries", -1, "--max-retries -1 is not between 0 and 100"),
        ("timeout", 0, "--timeout 0 is not between 1 and 86400"),
        ("at", "soon", "--at 'soon' is no moment"),
        ("key", "k" * 201, "--key has more than 200 characters"),
    ],
)
def test_what_the_queue_would_refuse_is_not_sent(field: str, value: object, named: str) -> None:
    request: dict[str, Any] = {**_JOB, field: value}
    with pytest.raises(UsageError, match=named) as caught:
        jobs.enqueue(Queue("http://127.0.0.1:9", ""), **request)
    assert "Expecting" not in caught.value.message, "people do not read Python's own words"


def test_a_file_in_another_encoding_is_no_payload(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text("{}", encoding="utf-16")
    with pytest.raises(UsageError, match=r"job\.json cannot be read: it is no UTF-8 text"):
        jobs.enqueue(
            Queue("http://127.0.0.1:9", ""), **{**_JOB, "payload": f"@{tmp_path}/job.json"}
        )


def test_an_id_a_status_and_a_limit_have_their_form() -> None:
    queue = Queue("http://127.0.0.1:9", "")
    for wrong in ("", "1", "eq.1&select=*"):
        with pytest.raises(UsageError, match="no id"):
            jobs.show(queue, wrong)
    with pytest.raises(UsageError, match="--status"):
        jobs.listed(queue, "late", 5)
    for number in (-1, 0, 10_001):
        with pytest.raises(UsageError, match=f"--limit {number} is not between 1 and 10000"):
            jobs.listed(queue, "", number)
        with pytest.raises(UsageError, match=f"--limit {number} is not between 1 and 10000"):
            jobs.dead(queue, number)
