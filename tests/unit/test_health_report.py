from pathlib import Path

import pytest

from scripts.core.checks import Result, Status, run_all
from scripts.core.errors import OpsError
from scripts.core.http import Reply
from scripts.health import probes, report
from scripts.stack import frontdoor
from scripts.stack.compose import Stack

from .fakes import FakeRunner, says, settings_in

_NAMES = ("Nginx", "Odoo (proxy)", "Odoo (container)", "PostgreSQL", "Redis")


def _plain(text: str, colour: str) -> str:
    return text


def test_a_healthy_platform_gives_the_report_of_the_readme_to_the_letter() -> None:
    rows = [Result(name, Status.OK, "", "", 0.1) for name in _NAMES]
    assert "\n".join(report.lines(rows, _plain)) == (
        "=== Platform Health Check ===\n"
        "Nginx: ✓ OK\n"
        "Odoo (proxy): ✓ OK\n"
        "Odoo (container): ✓ OK\n"
        "PostgreSQL: ✓ OK\n"
        "Redis: ✓ OK\n"
        "=== Summary ===\n"
        "All services healthy"
    )


def test_a_broken_platform_says_what_where_and_how_to_go_on() -> None:
    rows = [
        Result("Nginx", Status.OK, "", "", 0.1),
        Result("Odoo (proxy)", Status.FAILED, "status 503", "inv logs --service odoo", 0.1),
        Result("Redis", Status.FAILED, "", "", 0.1),
    ]
    assert report.lines(rows, _plain)[1:] == [
        "Nginx: ✓ OK",
        "Odoo (proxy): ✗ FAILED: status 503 (see: inv logs --service odoo)",
        "Redis: ✗ FAILED",
        "=== Summary ===",
        "Unhealthy: Odoo (proxy), Redis",
    ]


def test_failures_are_red_and_the_rest_is_green() -> None:
    rows = [Result("A", Status.OK, "", "", 0), Result("B", Status.FAILED, "", "", 0)]
    painted = report.lines(rows, lambda text, colour: f"<{colour} {text}>")
    assert painted[1:3] == ["A: <green ✓> OK", "B: <red ✗> FAILED"]
    assert painted[-1] == "<red Unhealthy: B>"


def test_the_checks_are_the_five_of_the_readme(tmp_path: Path) -> None:
    names = [check.name for check in probes.checks(Stack(settings_in(tmp_path), FakeRunner()))]
    assert tuple(names) == _NAMES


_TAKE = "docker compose exec -T odoo python3 /mnt/extra-addons/session_redis/admin.py take"


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> None:
    """Odoo gives every visitor the session `abc`."""
    monkeypatch.setattr(frontdoor, "get", lambda *_, **__: Reply(200, "", {"session_id": "abc"}))


def test_containers_that_answer_well_are_healthy(tmp_path: Path, web: None) -> None:
    runner = FakeRunner(
        {
            "docker compose exec -T odoo_db": says("1\n"),
            "docker compose exec -T redis": says("PONG\n"),
            f"{_TAKE} --sid=abc": says('{"found": 1}\n'),
        }
    )
    checks = probes.checks(Stack(settings_in(tmp_path), runner))[2:]
    assert [row.status for row in run_all(checks)] == [Status.OK] * 3


def test_a_wrong_answer_is_not_health_even_with_exit_code_0(tmp_path: Path) -> None:
    runner = FakeRunner(
        {
            "docker compose exec -T odoo ": says(code=7, stderr="curl: (7) refused\n"),
            "docker compose exec -T odoo_db": says("", stderr="psql: FATAL: no such database\n"),
            "docker compose exec -T redis": says("LOADING Redis is loading\n"),
        }
    )
    rows = run_all(probes.checks(Stack(settings_in(tmp_path), runner))[2:])
    assert [(row.status, row.detail, row.hint) for row in rows] == [
        (Status.FAILED, "curl: (7) refused", "inv logs --service odoo"),
        (Status.FAILED, "psql: FATAL: no such database", "inv logs --service odoo_db"),
        (Status.FAILED, "LOADING Redis is loading", "inv logs --service redis"),
    ]


def test_a_redis_without_the_session_that_odoo_gave_is_not_healthy(
    tmp_path: Path, web: None
) -> None:
    runner = FakeRunner(
        {"docker compose exec -T redis": says("PONG\n"), _TAKE: says('{"found": 0}\n')}
    )
    checks = probes.checks(Stack(settings_in(tmp_path), runner))[4:]
    (row,) = run_all(checks)
    assert row.status is Status.FAILED
    assert row.detail.startswith("no session of Odoo is found in it")


def test_a_probe_that_gets_no_answer_in_time_is_a_failed_row(tmp_path: Path) -> None:
    runner = FakeRunner({"docker compose exec": OpsError("gave no answer within 30 s")})
    rows = run_all(probes.checks(Stack(settings_in(tmp_path), runner))[2:])
    assert [row.status for row in rows] == [Status.FAILED] * 3
