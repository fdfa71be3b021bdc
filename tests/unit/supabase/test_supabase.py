import base64
from pathlib import Path

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


@pytest.mark.parametrize("payload", ["{", "[1]", "1", '"a"', "@/nowhere/at/all", "[" * 100_000])
def test_a_payload_is_a_json_object(payload: str) -> None:
    with pytest.raises(UsageError, match=r"payload|nowhere"):
        jobs.enqueue(
            Queue("http://127.0.0.1:9", ""),
            "s",
            "t",
            payload,
            priority=5,
            at="",
            max_retries=3,
            timeout=300,
            key="",
        )


def test_a_moment_and_an_id_have_their_form(tmp_path: Path) -> None:
    queue = Queue("http://127.0.0.1:9", "")
    with pytest.raises(UsageError, match="--at"):
        jobs.enqueue(
            queue, "s", "t", "{}", priority=5, at="soon", max_retries=3, timeout=300, key=""
        )
    for wrong in ("", "1", "eq.1&select=*"):
        with pytest.raises(UsageError, match="no id"):
            jobs.show(queue, wrong)
    with pytest.raises(UsageError, match="--status"):
        jobs.listed(queue, "late", 5)
