"""Restores in a swarm: what is stopped, put in place, and put back."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scripts.backups import moments
from scripts.backups.wanted import Wanted
from scripts.core.errors import OpsError, UsageError
from scripts.stack.compose import Stack
from scripts.swarm import odoo_tasks, once, restore, services
from tests.unit.support import swarm_answers as docker
from tests.unit.support.backups import HERE, MANIFEST, STORED
from tests.unit.support.fakes import ELSEWHERE, FakeReporter, command_line, says
from toolbox.contract.codec import from_json

_ODOO = ("odoo", "odoo_cron", "odoo_websocket")
_STOP = "docker service scale --detach s-odoo=0 s-odoo_cron=0 s-odoo_websocket=0"
_START = "docker service scale --detach s-odoo=2 s-odoo_cron=1 s-odoo_websocket=1"
_MOMENT = {**MANIFEST, "moment": "", "reached": True, "last_commit": "2026-01-02T00:00:00Z"}


class Tasks:
    """What the tasks of `restore` and `recovery` answer, and what they were asked."""

    def __init__(self, **answers: Any) -> None:
        self.asked: list[str] = []
        self.database = 5  # the number of the live one
        self.swaps = True
        self.answers = {
            "offer": {"backup": {**MANIFEST, "stored": STORED}, "handle": "aA=="},
            "stage": MANIFEST,
            "swap": {"database": "odoo", "replaced": True},
            "back": {"database": "odoo", "restored": True},
            "discard": {"discarded": "odoo__restoring"},
            "page": {"status": 200},
            "status": {"time": "", "begins": "2026-01-01T00:00:00+00:00"},
            **answers,
        }

    def ask(self, stack: Stack, reporter: Any, name: str, *words: str, kind: Any) -> Any:
        self.asked.append(" ".join((name, *words)))
        known = {"odoo": self.database, "odoo__before": 1, "odoo__restoring": 6}
        answer = self.answers.get(words[0], known)
        if words[0] == "swap" and self.swaps:
            self.database = 6
        if isinstance(answer, BaseException):
            raise answer
        answer = {**answer, "databases": known} if words[0] in ("offer", "stage") else answer
        return from_json(kind, json.dumps(answer))


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Tasks], Stack]:
    def make(tasks: Tasks) -> Stack:
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets" / "db_password.txt").write_text("x")
        known = [docker.service(name, replicas=2 if name == "odoo" else 1) for name in _ODOO]
        known += [docker.service(name, replicas=0) for name in ("restore", "recovery")]
        answers = docker.answers([docker.node("node1", "data", "ingress")], known)
        stack = docker.stack_of(tmp_path, {**answers, "docker run": says(HERE)})
        monkeypatch.setattr(once, "ask", tasks.ask)
        monkeypatch.setattr(once, "tasks", lambda *_: [])
        monkeypatch.setattr(once, "require_idle", lambda _: None)
        monkeypatch.setattr(services, "wait", lambda *_, **__: [])
        return stack

    return make


def _changes(stack: Stack) -> list[str]:
    return [command_line(argv) for argv in docker.runner_of(stack).changing]


def test_a_backup_is_staged_before_odoo_is_stopped(platform: Callable[[Tasks], Stack]) -> None:
    tasks, reporter = Tasks(), FakeReporter()
    stack = platform(tasks)
    done = restore.restore(stack, reporter, Wanted())
    assert tasks.asked == [
        "restore offer latest",
        "restore stage 20260101-020000-abcd odoo__restoring --live odoo --odoo 18.0",
        "restore swap odoo",
        "restore page",
    ]
    assert _changes(stack) == [_STOP, _START]
    assert "Continue?" in reporter.asked[0]
    assert done.replaced and "inv swarm.restore --undo" in done.lines[-1]


def test_a_moment_is_staged_by_the_archive(platform: Callable[[Tasks], Stack]) -> None:
    tasks = Tasks(stage=_MOMENT)
    wanted = Wanted(at=moments.parse("2026-01-02 00:00Z"))
    done = restore.restore(platform(tasks), FakeReporter(), wanted)
    words = "--at=2026-01-02T00:00:00+00:00 --kind=time"
    assert tasks.asked[:3] == [
        "recovery status",
        "restore databases",
        f"recovery stage odoo odoo__restoring --live odoo --odoo 18.0 {words}",
    ]
    assert done.last_transaction == "2026-01-02T00:00:00Z"


def test_who_does_not_agree_keeps_everything(platform: Callable[[Tasks], Stack]) -> None:
    tasks = Tasks()
    stack = platform(tasks)
    with pytest.raises(OpsError, match="nothing was restored"):
        restore.restore(stack, FakeReporter(answer=False), Wanted())
    assert not _changes(stack) and tasks.asked == ["restore offer latest"]


def test_a_backup_of_another_odoo_is_not_staged(platform: Callable[[Tasks], Stack]) -> None:
    tasks = Tasks(offer={"backup": {**MANIFEST, "odoo": "17.0", "stored": STORED}, "handle": ""})
    stack = platform(tasks)
    with pytest.raises(OpsError, match=r"of Odoo 17\.0, and Odoo 18\.0 runs here"):
        restore.restore(stack, FakeReporter(), Wanted())
    assert not _changes(stack)


def test_what_fails_beside_what_is_live_stops_nothing(platform: Callable[[Tasks], Stack]) -> None:
    tasks = Tasks(stage=OpsError("no room"))
    stack = platform(tasks)
    with pytest.raises(OpsError, match="no room"):
        restore.restore(stack, FakeReporter(), Wanted())
    assert tasks.asked[-1] == "restore discard odoo__restoring"
    assert not _changes(stack)


def test_a_swap_that_fails_leaves_odoo_as_it_was(platform: Callable[[Tasks], Stack]) -> None:
    tasks = Tasks(swap=OpsError("somebody is connected"))
    tasks.swaps = False
    stack = platform(tasks)
    with pytest.raises(OpsError, match="somebody is connected") as failed:
        restore.restore(stack, FakeReporter(), Wanted())
    assert failed.value.hint.startswith("What was there before is there again.")
    assert _changes(stack) == [_STOP, _START, _START]
    assert "restore back odoo" not in tasks.asked


def test_a_swap_whose_answer_was_lost_is_not_taken_back(platform: Callable[[Tasks], Stack]) -> None:
    tasks = Tasks(swap=OpsError("its answer is not told"))
    assert restore.restore(platform(tasks), FakeReporter(), Wanted()).replaced
    assert "restore back odoo" not in tasks.asked


def test_a_database_of_which_odoo_shows_no_page_is_taken_back(
    platform: Callable[[Tasks], Stack],
) -> None:
    tasks = Tasks(page=OpsError("Odoo answers its login page with 500"))
    stack = platform(tasks)
    with pytest.raises(OpsError, match="with 500") as failed:
        restore.restore(stack, FakeReporter(), Wanted())
    assert failed.value.hint.startswith("What was there before is there again.")
    assert "restore back odoo" in tasks.asked


def test_moments_of_a_server_elsewhere_are_refused_before_a_question(
    platform: Callable[[Tasks], Stack],
) -> None:
    tasks, reporter = Tasks(), FakeReporter()
    stack = platform(tasks)
    stack = replace(stack, settings=replace(stack.settings, postgres=ELSEWHERE))
    with pytest.raises(UsageError, match="by who runs it"):
        restore.restore(stack, reporter, Wanted(at=moments.parse("2026-01-02 00:00Z")))
    assert not reporter.asked and not tasks.asked


def test_a_moment_before_the_archive_is_refused_before_a_question(
    platform: Callable[[Tasks], Stack],
) -> None:
    tasks, reporter = Tasks(), FakeReporter()
    with pytest.raises(UsageError, match="before the first moment"):
        restore.restore(platform(tasks), reporter, Wanted(at=moments.parse("2020-01-02 00:00Z")))
    assert not reporter.asked


def test_an_odoo_that_cannot_be_stopped_is_asked_for(
    platform: Callable[[Tasks], Stack], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack, reporter = platform(Tasks()), FakeReporter(answer=False)
    away = docker.node("node2", state="down")
    answers = docker.runner_of(stack).answers
    answers["docker node inspect"] = says(json.dumps([docker.node("node1", "data"), away]))
    monkeypatch.setattr(once, "tasks", lambda *_: [docker.task("odoo", "node2")])
    with pytest.raises(OpsError, match="a node is away"):
        restore.restore(stack, reporter, Wanted())
    assert reporter.asked[0].startswith("node2 is away")
    assert not _changes(stack)


def test_what_odoo_does_not_start_on_is_taken_back(
    platform: Callable[[Tasks], Stack], monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = Tasks()
    stack = platform(tasks)

    def wait(*_: Any, **__: Any) -> list[services.ServiceState]:
        if tasks.asked[-1] == "restore swap odoo":
            raise OpsError("odoo has 0 of 2")
        return []

    monkeypatch.setattr(services, "wait", wait)
    with pytest.raises(OpsError, match="0 of 2"):
        restore.restore(stack, FakeReporter(), Wanted())
    assert tasks.asked[-2:] == ["restore back odoo", "restore discard odoo__restoring"]
    assert _changes(stack) == [_STOP, _START, _STOP, _START]


def test_after_a_restore_that_was_killed_odoo_gets_its_tasks(
    platform: Callable[[Tasks], Stack],
) -> None:
    stack = platform(Tasks())
    known = [docker.service(name, replicas=0) for name in _ODOO]
    docker.runner_of(stack).answers["docker service inspect"] = says(json.dumps(known))
    assert restore.undo(stack, FakeReporter()).source == "odoo__before"
    assert _changes(stack) == [_STOP, _START]


def test_without_a_database_to_go_back_to_nothing_is_stopped(
    platform: Callable[[Tasks], Stack],
) -> None:
    stack = platform(Tasks(databases={"odoo": 5}))
    with pytest.raises(OpsError, match="nothing to go back to"):
        restore.undo(stack, FakeReporter())
    assert not _changes(stack)


def test_a_restore_cannot_be_rehearsed(tmp_path: Path) -> None:
    found = docker.answers([docker.node("node1", "data")])
    with pytest.raises(UsageError, match="cannot be rehearsed"):
        restore.restore(docker.stack_of(tmp_path, found, dry=True), FakeReporter(), Wanted())


def test_odoo_has_ended_only_when_none_of_its_containers_runs(
    platform: Callable[[Tasks], Stack], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = platform(Tasks())
    ending = docker.task("odoo", state="running", desired="shutdown")
    away = docker.task("odoo", "node9", state="running", desired="shutdown")
    found = [[ending, away], [away]]
    monkeypatch.setattr(once, "tasks", lambda *_: found.pop(0) if len(found) > 1 else found[0])
    monkeypatch.setattr(odoo_tasks, "_POLL_SECONDS", 0)
    restore.undo(stack, FakeReporter())
    monkeypatch.setattr(once, "tasks", lambda *_: [ending])
    monkeypatch.setattr(odoo_tasks, "_STOP_SECONDS", 0)
    with pytest.raises(OpsError, match="do not end"):
        restore.undo(stack, FakeReporter())
