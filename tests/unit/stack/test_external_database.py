"""What is asked, and refused, where somebody else runs PostgreSQL."""

from pathlib import Path

import pytest

from scripts import monitoring
from scripts.backups import foreign_files
from scripts.core.checks import run_all
from scripts.core.errors import OpsError, UsageError
from scripts.disaster.second import Second
from scripts.postgres import upgrade
from scripts.rotation import dependents, rotate, sql
from scripts.stack import database_names, preflight, readiness
from scripts.stack.compose import Stack
from scripts.stack.diagnosis import remedy
from scripts.stack.engine import Engine
from tests.unit.support.fakes import ELSEWHERE, FakeReporter, FakeRunner, says, settings_in

_ENGINE = Engine("28", "5.6.1", 4, 8 * preflight.GIB, Path("/nowhere"))


@pytest.fixture
def runner() -> FakeRunner:
    return FakeRunner()


@pytest.fixture
def stack(tmp_path: Path, runner: FakeRunner) -> Stack:
    return Stack(settings_in(tmp_path, postgres=ELSEWHERE), runner)


def _asked(runner: FakeRunner) -> str:
    """The last command in the container of the database."""
    (*_, last) = [" ".join(call) for call in runner.calls if call[:2] == ["docker", "exec"]]
    return last


def test_the_server_is_asked_by_its_own_name_and_role(stack: Stack, runner: FakeRunner) -> None:
    assert readiness.answers(stack, "odoo_db")
    assert _asked(runner).endswith("sh /etc/platform/external ready")
    runner.answers["docker exec odoo_db psql"] = says("odoo\npostgres\n")
    database_names.require(stack, "odoo")
    assert " -U shop -d postgres " in _asked(runner)
    sql.in_odoo(stack, "SELECT 1")
    assert " -U shop -d odoo " in _asked(runner)
    sql.as_superuser(stack, sql.DATABASE_SERVICE, "SELECT 1")
    assert " -U shop -d postgres " in _asked(runner)
    sql.as_superuser(stack, "supabase_db", "SELECT 1")
    assert " -U postgres -d postgres " in _asked(runner)


def test_what_it_stores_of_a_password_is_not_asked(stack: Stack, runner: FakeRunner) -> None:
    assert sql.role(stack, sql.DATABASE_SERVICE, "shop") is None
    assert runner.calls == []


def test_its_major_version_is_its_provider_s(stack: Stack, runner: FakeRunner) -> None:
    with pytest.raises(UsageError, match=r"at db\.test is upgraded by who runs it"):
        upgrade.upgrade(stack, FakeReporter(), 17, "")
    assert runner.calls == []


@pytest.mark.parametrize("name", ["db_password", "monitoring_password"])
def test_passwords_of_its_roles_are_not_rotated_here(stack: Stack, name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is set where PostgreSQL runs, at db.test"):
        rotate._with_key(stack, FakeReporter(), (name,))


def test_all_leaves_them_out_and_says_so(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotate, "_everything", lambda _: ("db_password", "odoo_admin_password"))
    reporter = FakeReporter()
    assert rotate._with_key(stack, reporter, ()) == (("odoo_admin_password",), False)
    assert any("PostgreSQL is elsewhere: db_password" in note for note in reporter.said)


def test_no_password_is_made_that_it_would_not_take(stack: Stack) -> None:
    with pytest.raises(UsageError, match=r"password of the role shop at db\.test"):
        dependents.ensure(stack)


@pytest.mark.parametrize(("volumes", "set_up"), [("x\n", False), ("ipai-platform_odoo_data", True)])
def test_odoo_s_volume_tells_whether_it_was_set_up(
    stack: Stack, runner: FakeRunner, volumes: str, set_up: bool
) -> None:
    runner.answers["docker volume ls"] = says(volumes)
    assert dependents.database(stack) is set_up


def test_the_role_for_foreign_files_is_asked_for_and_not_made(
    stack: Stack, runner: FakeRunner
) -> None:
    runner.answers["docker exec odoo_db psql"] = says(code=1, stderr="no such role")
    with pytest.raises(OpsError, match="may not make roles") as caught:
        foreign_files.prepare(stack)
    assert "GRANT odoo_restore TO shop;" in caught.value.hint
    runner.answers["docker exec odoo_db psql"] = says("t\n")
    foreign_files.prepare(stack)
    assert not any("CREATE ROLE" in word for call in runner.calls for word in call)


def test_the_role_of_the_exporter_is_its_administrator_s(stack: Stack, runner: FakeRunner) -> None:
    runner.answers["docker exec odoo_db sh /etc/platform/monitoring"] = says(code=2)
    with pytest.raises(OpsError) as caught:
        monitoring.set_password(stack, "secret")
    assert "CREATE ROLE monitoring" in caught.value.hint


def test_a_drill_restores_into_a_server_of_its_own(stack: Stack, tmp_path: Path) -> None:
    for name in ("compose.yaml", "compose.prod.yaml"):
        (tmp_path / name).write_text("")
    assert Second(stack)._values()["POSTGRES_EXTERNAL_HOST"] == ""


@pytest.mark.parametrize(
    ("text", "mode", "problem"),
    [
        (None, 0o644, "is no PEM file"),
        ("a key", 0o644, "is no PEM file"),
        ("-----BEGIN CERTIFICATE-----", 0o600, "cannot be read by Odoo"),
        ("-----BEGIN CERTIFICATE-----", 0o644, ""),
    ],
)
def test_its_authority_can_be_mounted(
    stack: Stack, tmp_path: Path, text: str | None, mode: int, problem: str
) -> None:
    if text is not None:
        (tmp_path / "ca.pem").write_text(text)
        (tmp_path / "ca.pem").chmod(mode)
    found = {row.name: row for row in run_all(preflight.checks(stack, _ENGINE, ()))}["Authority"]
    assert problem in found.detail
    assert bool(found.detail) is bool(problem)


@pytest.mark.parametrize(
    ("said", "way"),
    [
        ("SSL error: certificate verify failed", "POSTGRES_EXTERNAL_CA_FILE"),
        ('password authentication failed for user "shop"', "secrets/db_password.txt"),
    ],
)
def test_what_keeps_it_from_being_used_has_a_way_out(said: str, way: str) -> None:
    log = [f"error: PostgreSQL at db.test:6432: connection to server failed: {said}"]
    assert way in remedy("odoo_db", log)
