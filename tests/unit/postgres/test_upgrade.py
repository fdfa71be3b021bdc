"""What an upgrade of PostgreSQL refuses, and what it leaves where something fails."""

import shutil
from pathlib import Path

import pytest

from scripts.backups import repository, service
from scripts.core.errors import OpsError, UsageError
from scripts.postgres import upgrade
from scripts.stack import engine, images, readiness
from scripts.stack.compose import Stack
from tests.conftest import ROOT
from tests.unit.support.fakes import FakeReporter, FakeRunner, says, settings_in

_OLD, _NEW = "ipai-platform_odoo_db_data", "ipai-platform_odoo_db_data_17"
_MOVE = "docker compose --progress quiet run --rm -T --no-deps postgres_upgrade move"


@pytest.fixture
def runner() -> FakeRunner:
    return FakeRunner(
        {
            "docker ps": says('{"Service": "odoo_db", "Name": "db", "Health": "healthy"}\n'),
            "docker exec odoo_db psql": says("16\n"),
            "docker volume ls": says(f"{_OLD}\n"),
            "docker image inspect": says("PG_MAJOR=17\n"),
            "docker image ls": says("postgres:17-trixie sha256:1\n"),
            _MOVE: says("3 databases, 9 tables, 99 rows\n"),
        }
    )


@pytest.fixture
def stack(tmp_path: Path, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch) -> Stack:
    for name in ("compose.yaml", "compose.prod.yaml"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    (tmp_path / ".env").write_text("# mine\nNGINX_HTTP_PORT=81\n")
    monkeypatch.setattr(engine, "probe", lambda *_: None)
    monkeypatch.setattr(service, "prepare", lambda *_: None)
    monkeypatch.setattr(images, "ensure_backup", lambda *_: None)
    monkeypatch.setattr(readiness, "start", lambda *_: None)
    monkeypatch.setattr(repository, "make", lambda *_: type("Made", (), {"id": "20261128"}))
    return Stack(settings_in(tmp_path), runner)


def _env(stack: Stack) -> str:
    return stack.settings.env_file.read_text()


@pytest.mark.parametrize(
    ("to", "reason"), [(15, "newer than 15"), (19, "none that the platform knows")]
)
def test_a_version_that_cannot_be_moved_to_is_refused(stack: Stack, to: int, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        upgrade.upgrade(stack, FakeReporter(), to, "")


def test_what_runs_already_is_nothing_to_do(stack: Stack, runner: FakeRunner) -> None:
    done = upgrade.upgrade(stack, FakeReporter(), 16, "")
    assert (done.done, done.postgresql) == ("nothing", 16)
    assert upgrade.accept(stack, FakeReporter()).done == "nothing"
    assert runner.changing == []


def test_variables_of_the_environment_are_refused(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_IMAGE", "postgres:16")
    with pytest.raises(UsageError, match="the environment sets POSTGRES_IMAGE"):
        upgrade.upgrade(stack, FakeReporter(), 17, "")


def test_another_command_at_work_is_waited_for(stack: Stack, runner: FakeRunner) -> None:
    oneoff = '{"Service": "backup", "Name": "b", "Labels": "com.docker.compose.oneoff=True"}\n'
    runner.answers["docker ps"] = says(oneoff)
    with pytest.raises(OpsError, match="b works on the platform"):
        upgrade.upgrade(stack, FakeReporter(), 17, "")


def test_a_volume_that_is_left_has_to_go_first(stack: Stack, runner: FakeRunner) -> None:
    runner.answers["docker volume ls"] = says(f"{_OLD}\n{_OLD}_15\n")
    with pytest.raises(OpsError, match=f"another volume of databases: {_OLD}_15"):
        upgrade.upgrade(stack, FakeReporter(), 17, "")


def test_without_a_yes_nothing_is_changed(stack: Stack, runner: FakeRunner) -> None:
    before = _env(stack)
    reporter = FakeReporter(answer=False)
    with pytest.raises(OpsError, match="nothing was changed"):
        upgrade.upgrade(stack, reporter, 17, "")
    assert "Upgrade PostgreSQL 16 to 17, with a backup first" in reporter.asked[0]
    assert _env(stack) == before
    assert not runner.ran(_MOVE)
    # What the check has made goes again.
    assert runner.changing[-1] == ["docker", "volume", "rm", _NEW]


def test_what_fails_leaves_everything_as_it_was(stack: Stack, runner: FakeRunner) -> None:
    runner.answers[_MOVE] = says(code=1, stderr="error: odoo could not be moved:\n  psql: no\n")
    before = _env(stack)
    with pytest.raises(OpsError, match=r"(?s)could not be moved:.*psql: no") as caught:
        upgrade.upgrade(stack, FakeReporter(), 17, "")
    assert caught.value.hint == "The platform runs as before."
    assert _env(stack) == before
    assert runner.changing[-1] == ["docker", "volume", "rm", _NEW]


def test_a_server_of_another_version_than_meant_is_a_failure(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _env(stack)
    with pytest.raises(OpsError, match="PostgreSQL 16 was started, and not 17"):
        upgrade.upgrade(stack, FakeReporter(), 17, "")
    assert _env(stack) == before


def test_an_upgrade_is_in_env(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = iter((16, 17))
    monkeypatch.setattr(upgrade, "_major", lambda *_: next(versions))
    done = upgrade.upgrade(stack, FakeReporter(), 17, "")
    assert (done.done, done.before, done.backup) == ("upgraded", 16, "20261128")
    assert (done.volume, done.kept) == (_NEW, (_OLD,))
    assert done.moved == "3 databases, 9 tables, 99 rows"
    assert _env(stack) == (
        "# mine\nNGINX_HTTP_PORT=81\nPOSTGRES_IMAGE=postgres:17-trixie\n"
        "BACKUP_BASE_IMAGE=postgres:17-trixie\nBACKUP_IMAGE=localhost/ipai-platform/backup:17\n"
        "POSTGRES_VOLUME=odoo_db_data_17\n"
    )


def test_the_local_supabase_stays_on_its_version(stack: Stack, runner: FakeRunner) -> None:
    assert upgrade._supabase(stack) == {}
    runner.answers["docker volume ls"] = says(f"{_OLD}\nipai-platform_supabase_db_data\n")
    assert upgrade._supabase(stack) == {"SUPABASE_POSTGRES": "postgres:16.15-bookworm"}


def test_only_an_upgrade_is_undone(stack: Stack, runner: FakeRunner) -> None:
    runner.answers["docker volume ls"] = says(f"{_OLD}\n{_NEW}\n")
    runner.answers["docker run"] = says("17\n")
    with pytest.raises(OpsError, match="there is no upgrade to undo: PostgreSQL 16 runs") as caught:
        upgrade.undo(stack, FakeReporter())
    assert _NEW in caught.value.hint


def test_accepting_drops_what_is_not_in_use(stack: Stack, runner: FakeRunner) -> None:
    runner.answers["docker volume ls"] = says(f"{_OLD}\n{_NEW}\n")
    with pytest.raises(OpsError, match="nothing was changed"):
        upgrade.accept(stack, FakeReporter(answer=False))
    assert runner.changing == []
    assert upgrade.accept(stack, FakeReporter()).dropped == (_NEW,)
    assert runner.changing == [["docker", "volume", "rm", _NEW]]


def test_what_writes_to_the_databases_is_stopped(stack: Stack, runner: FakeRunner) -> None:
    names = ("odoo", "archiver", "nginx", "odoo_db")
    rows = [f'{{"Service": "{name}", "Name": "{name}"}}\n' for name in names]
    runner.answers["docker ps"] = says("".join(rows))
    upgrade._stop_clients(stack, FakeReporter())
    assert runner.changing[-1][-3:] == ["stop", "odoo", "archiver"]
