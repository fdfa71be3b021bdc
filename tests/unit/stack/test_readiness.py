"""Services that a command needs: it asks them itself, and starts only what does not answer."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.core.settings import Environment
from scripts.stack import external_servers, login_page, readiness
from scripts.stack.compose import Stack
from tests.unit.support.fakes import ELSEWHERE, FakeRunner, says, settings_in

_ASK = "docker exec odoo_db pg_isready"


@dataclass
class _Engine(FakeRunner):
    """Its database answers to the last of the questions in `answering`, once it was started."""

    answering: list[bool] = field(default_factory=lambda: [False, True])

    def run(self, argv: Sequence[str], **options: Any) -> Completed:
        if "pg_isready" in argv:
            answers = self.answering.pop(0) if len(self.answering) > 1 else self.answering[0]
            self.answers[_ASK] = says(code=0 if answers else 2)
        return super().run(argv, **options)


def _row(**fields: Any) -> Completed:
    row = {"Service": "odoo_db", "Name": "x-odoo_db-1", "State": "running", "Health": "starting"}
    return says(json.dumps({**row, **fields}))


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_POLL_SECONDS", 0)


def test_what_answers_is_not_started_again_whatever_docker_says_of_its_health(
    tmp_path: Path,
) -> None:
    runner = _Engine({"docker ps": _row(Health="unhealthy")}, answering=[True])
    readiness.ensure_running(Stack(settings_in(tmp_path), runner), "odoo_db", "redis")
    assert runner.changing == []
    assert runner.ran("docker exec redis sh /etc/platform/cli ping")


def test_what_was_started_is_asked_until_it_answers(tmp_path: Path) -> None:
    runner = _Engine({"docker ps": _row()}, answering=[False, False, False, True])
    readiness.ensure_running(Stack(settings_in(tmp_path), runner), "odoo_db")
    (start,) = runner.changing
    assert start[-5:] == ["up", "--detach", "--no-build", "--no-recreate", "odoo_db"]
    assert runner.answering == [True]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (_row(State="exited", ExitCode=1, Health=""), "service odoo_db is exited, exit code 1"),
        (_row(State="exited", ExitCode=0, Health=""), "odoo_db does not answer"),
        (_row(RestartCount=4), "service odoo_db is restarting again and again"),
    ],
)
def test_what_ends_is_not_waited_for(tmp_path: Path, row: Completed, text: str) -> None:
    log = says(stdout="FATAL: data directory has invalid permissions\n")
    runner = _Engine({"docker ps": row, "docker logs": log}, answering=[False])
    with pytest.raises(OpsError, match=text):
        readiness.ensure_running(Stack(settings_in(tmp_path), runner), "odoo_db")


@pytest.mark.parametrize(("state", "starts"), [("running", 0), ("exited", 1)])
def test_a_server_elsewhere_is_not_started_and_soon_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, starts: int
) -> None:
    monkeypatch.setattr(external_servers, "PATIENCE_SECONDS", 0)
    said = 'connection to server at "db.test" failed: Connection refused\n\tIs it running?\n'
    runner = FakeRunner({"docker ps": _row(State=state, ExitCode=0, Health="")})
    runner.answers["docker exec odoo_db sh /etc/platform/external"] = says(code=1, stderr=said)
    stack = Stack(settings_in(tmp_path, postgres=ELSEWHERE), runner)
    with pytest.raises(OpsError) as caught:
        readiness.ensure_running(stack, "odoo_db")
    assert len(runner.changing) == starts
    if not starts:
        assert caught.value.message == f"PostgreSQL at db.test:6432: {said.splitlines()[0]}"
        assert "POSTGRES_EXTERNAL_*" in caught.value.hint


def test_the_wait_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_START_SECONDS", 0)
    runner = _Engine({"docker ps": _row()}, answering=[False])
    with pytest.raises(OpsError, match="odoo_db does not answer"):
        readiness.ensure_running(Stack(settings_in(tmp_path), runner), "odoo_db")


def test_nothing_is_waited_for_that_is_only_shown(tmp_path: Path) -> None:
    runner = _Engine({"docker ps": _row()}, answering=[False], dry=True)
    readiness.ensure_running(Stack(settings_in(tmp_path), runner), "odoo_db")
    assert len(runner.changing) == 1


def test_websockets_are_waited_for_in_production(tmp_path: Path) -> None:
    answers = [False, False, True]

    @dataclass
    class Engine(FakeRunner):
        def run(self, argv: Sequence[str], **options: Any) -> Completed:
            if "sh" in argv:
                self.answers["docker exec odoo sh"] = says(code=0 if answers.pop(0) else 7)
            return super().run(argv, **options)

    login_page.await_websockets(Stack(settings_in(tmp_path), Engine()))
    assert len(answers) == 3
    production = settings_in(tmp_path, environment=Environment.PROD)
    login_page.await_websockets(Stack(production, Engine()))
    assert answers == []


def test_only_what_docker_does_not_ask_is_waited_for(tmp_path: Path) -> None:
    runner = FakeRunner({"docker ps": says('{"Service": "prometheus", "Name": "prometheus"}')})
    stack = Stack(settings_in(tmp_path), runner)
    readiness.wait_for_unchecked(stack, ["nginx", "odoo"])
    assert not runner.calls
    readiness.wait_for_unchecked(stack, ["nginx", "prometheus"])
    assert runner.ran("docker exec prometheus /bin/promtool check ready")
