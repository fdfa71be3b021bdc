"""`inv status` and `inv open`: what is told of a platform that runs, is stopped, or is unseen."""

import json
import time
import webbrowser
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scripts import browser, checkup
from scripts.core import last_backup
from scripts.core.checks import Check, Finding, LateResult, Status, run_within
from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.core.http import Reply
from scripts.core.settings import Environment
from scripts.stack import ingress
from scripts.stack.compose import Stack
from scripts.status import look
from tests.unit.support.fakes import FakeRunner, says, settings_in

_ROOM = "0 4096 25000000 20000000 6000000 5000000"
_PORTS = [{"PublishedPort": 443, "TargetPort": 443}]


def _row(service: str, state: str = "running", **more: Any) -> str:
    return json.dumps({"Service": service, "Name": service, "State": state, **more})


def _stack(
    root: Path, *rows: str, environment: Environment = Environment.DEV, **answers: Completed
) -> Stack:
    (root / "CHANGELOG.md").write_text("## 1.2.3 - today\n")
    for name in ("compose.yaml", "compose.prod.yaml"):
        (root / name).write_text("${ODOO_IMAGE:-odoo}")
    known: dict[str, Completed | OpsError] = {
        "docker ps": says("\n".join(rows)),
        "docker image inspect": says("ODOO_VERSION=18.0\n"),
        "docker exec odoo_db sh": says(f"{_ROOM}\n22400000 64000\n"),
        **answers,
    }
    return Stack(settings_in(root, environment=environment), FakeRunner(known))


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A health report of one line that is well and one that is not."""
    bad = Finding(Status.WARNING, "nearly full", "make room")
    checks = [Check("Redis", lambda: Finding(Status.OK)), Check("Volumes", lambda: bad)]
    monkeypatch.setattr(checkup, "brief", lambda stack: checks)
    monkeypatch.setattr(ingress, "get", lambda *_, **__: Reply(200, "ok\n"))


def test_a_platform_that_runs_is_told_on_one_screen(tmp_path: Path) -> None:
    stack = _stack(tmp_path, _row("nginx"), _row("odoo_db"), _row("odoo_init", "exited"))
    last_backup.remember(stack.settings, "20261127-133558-90c2", 0)
    found = look.look(stack)
    shown = "\n".join(found.lines)
    assert "Platform:    running, development" in shown
    assert "URL:         http://localhost" in shown
    assert "Version:     ipai-platform 1.2.3, Odoo 18.0" in shown
    assert "Data:        database 22.4 MB, attachments 0.1 MB; " in shown
    assert "Backup:      20261127-133558-90c2 of 2026-11-27" in shown
    assert "Maintenance: off" in shown
    assert found.attention == ["Volumes: nearly full (make room)"]
    assert found.lines[-1] == "  Volumes: nearly full (make room)"
    assert json.loads(json.dumps(found.json))["data"]["database"] == 22_400_000


def test_a_platform_that_is_stopped_is_told_with_less(tmp_path: Path) -> None:
    found = look.look(_stack(tmp_path, _row("nginx", "exited"), _row("odoo", "exited")))
    assert found.known and found.runs == "stopped" and found.data is None
    assert found.attention == ["Platform: it is stopped (inv up)"]
    assert "none was made here" in "\n".join(found.lines)


def test_what_of_it_is_down_is_named(tmp_path: Path) -> None:
    found = look.look(_stack(tmp_path, _row("nginx"), _row("odoo", "restarting")))
    assert found.lines[0] == "Platform:    partly running, development (odoo restarting)"


def test_without_an_engine_nothing_is_known_but_what_is_on_disk(tmp_path: Path) -> None:
    stack = _stack(tmp_path)
    assert isinstance(stack.runner, FakeRunner)
    stack.runner.answers["docker ps"] = OpsError("no engine answers", "Start it.")
    found = look.look(stack)
    assert not found.known
    assert found.attention == ["no engine answers (Start it.)"]
    assert "URL:         http://localhost" in found.lines


def test_what_takes_longer_is_named_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Check("Odoo", lambda: time.sleep(60) or Finding(Status.FAILED))  # type: ignore[func-returns-value]
    monkeypatch.setattr(checkup, "brief", lambda stack: [slow])
    monkeypatch.setattr(look, "_SECONDS", 0.2)
    monkeypatch.setattr(look, "_LEAST", 0.2)
    found = look.look(_stack(tmp_path, _row("nginx")))
    assert (found.unanswered, found.attention) == (["Odoo"], [])
    assert found.lines[-1] == "Not known yet: Odoo (inv health waits for them)"


def test_a_check_that_breaks_is_a_row_within_a_time_as_well() -> None:
    def broken() -> Finding:
        raise ValueError("x")

    rows = run_within([Check("a", broken), Check("b", lambda: Finding(Status.OK))], 5)
    assert [(row.name, row.status) for row in rows] == [("a", Status.FAILED), ("b", Status.OK)]
    assert not any(isinstance(row, LateResult) for row in rows)


@pytest.mark.parametrize(
    ("age", "verified", "said"),
    [
        (None, False, ["Backup: none was made here"]),
        (timedelta(hours=1), True, []),
        (timedelta(hours=1), False, ["Backup: none was verified"]),
        (timedelta(days=3), True, ["Backup: the last is of"]),
    ],
)
def test_production_needs_backups_that_are_recent_and_verified(
    tmp_path: Path, age: timedelta | None, verified: bool, said: list[str]
) -> None:
    stack = _stack(tmp_path, _row("nginx", Publishers=_PORTS), environment=Environment.PROD)
    settings = stack.settings
    settings.state_folder.mkdir()
    if age is not None:
        name = f"{datetime.now(UTC) - age:%Y%m%d-%H%M%S}-abcd"
        last_backup.remember(settings, name, 0)
        if verified:
            proofs = settings.state_folder / "verified"
            proofs.mkdir()
            (proofs / "broken.json").write_text("{")
            proof = {"id": name, "verified": "2026-11-27T10:00:00+00:00"}
            (proofs / f"{name}.json").write_text(json.dumps(proof))
    attention = [line for line in look.look(stack).attention if line.startswith("Backup")]
    assert len(attention) == len(said)
    assert all(line.startswith(start) for line, start in zip(attention, said, strict=True))


def test_the_address_is_that_of_what_runs(tmp_path: Path) -> None:
    stack = _stack(tmp_path, _row("nginx", Publishers=_PORTS))
    assert browser.address(stack) == "https://localhost"
    broken = FakeRunner({"docker ps": OpsError("no engine")})
    assert browser.address(replace(stack, runner=broken)) == "http://localhost"


def test_a_machine_without_a_browser_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda url: url == "http://here")
    assert browser.show("http://here")
    assert not browser.show("http://localhost")

    def fail(_: str) -> bool:
        raise webbrowser.Error("no runnable browser")

    monkeypatch.setattr(webbrowser, "open", fail)
    assert not browser.show("http://localhost")
