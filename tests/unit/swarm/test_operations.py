"""Deployments, the way back, nodes that are emptied, and backups, as Docker is asked for them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scripts.core.errors import OpsError, UsageError
from scripts.core.settings import Settings
from scripts.stack.compose import Stack
from scripts.swarm import backup, deploy, drain, once, rollback, swarm_images
from tests.unit.support import swarm_answers as docker
from tests.unit.support.fakes import FakeReporter, command_line, says

_DATA = docker.node("node1", "data", "ingress")
_OTHER = docker.node("node2")
_OLD, _NEW = docker.template("odoo:1"), docker.template("odoo:2")


def _changes(stack: Stack) -> list[str]:
    return [command_line(argv) for argv in docker.runner_of(stack).changing]


def _with(stack: Stack, **changed: Any) -> Stack:
    return replace(stack, settings=replace(stack.settings, **changed))


def test_only_what_the_last_deployment_changed_is_rolled_back(tmp_path: Path) -> None:
    found = [
        docker.service("odoo", now=_OLD, before=_NEW, update="completed", began="1"),
        docker.service("redis", now=_OLD, before=_OLD, update="completed", began="1"),
        docker.service("nginx", now=_OLD),
        docker.service("backup", replicas=0, now=_OLD, before=_NEW),
    ]
    tasks = [docker.task(name, made=_OLD) for name in ("odoo", "redis", "nginx")]
    stack = docker.stack_of(tmp_path, docker.answers([_DATA], found, tasks))
    done = rollback.roll_back(stack, FakeReporter())
    assert (done.services, done.images) == (("odoo",), ("odoo:1",))
    assert _changes(stack) == ["docker service rollback --detach --quiet s-odoo"]


def test_new_tasks_of_the_same_are_no_state_to_go_back_to(tmp_path: Path) -> None:
    again = {**_OLD, "ForceUpdate": 1}
    found = [docker.service("odoo", now=again, before=_OLD)]
    stack = docker.stack_of(tmp_path, docker.answers([_DATA], found, [docker.task("odoo")]))
    with pytest.raises(OpsError, match="changed nothing"):
        rollback.roll_back(stack, FakeReporter())


def test_without_a_stack_there_is_nothing_to_be_done(tmp_path: Path) -> None:
    asked: list[Callable[[Stack], object]] = [
        lambda stack: rollback.roll_back(stack, FakeReporter()),
        lambda stack: drain.drain(stack, FakeReporter(), "node2"),
        lambda stack: drain.back(stack, FakeReporter(), "node2"),
        lambda stack: backup.create(stack, FakeReporter()),
    ]
    for ask in asked:
        stack = docker.stack_of(tmp_path, docker.answers([_DATA, _OTHER]))
        with pytest.raises(OpsError, match="there is no stack ipai-platform"):
            ask(stack)
        assert not _changes(stack)


def test_the_only_node_is_not_drained(tmp_path: Path) -> None:
    away = docker.node("node2", state="down")
    stack = docker.stack_of(tmp_path, docker.answers([_DATA, away]))
    with pytest.raises(OpsError, match="node1 is the only node"):
        drain.drain(stack, FakeReporter(), "node1")
    assert not _changes(stack)


def test_the_node_of_the_data_is_drained_only_by_somebody_who_knows(tmp_path: Path) -> None:
    found = docker.answers(
        [_DATA, _OTHER], [docker.service("odoo")], [docker.task("odoo", "node2")]
    )
    stack = docker.stack_of(tmp_path, found)
    reporter = FakeReporter(answer=False)
    with pytest.raises(OpsError, match="nothing was changed"):
        drain.drain(stack, reporter, "node1")
    assert "PostgreSQL and Redis stop" in reporter.asked[0] and "no Nginx" in reporter.asked[0]
    assert not _changes(stack)
    assert drain.drain(stack, FakeReporter(), "node1").availability == "drain"
    assert _changes(stack) == ["docker node update --availability drain id-node1"]


def test_another_node_is_drained_without_a_question(tmp_path: Path) -> None:
    found = docker.answers([_DATA, _OTHER], [docker.service("odoo")], [docker.task("odoo")])
    stack = docker.stack_of(tmp_path, found)
    reporter = FakeReporter(answer=False)
    assert drain.drain(stack, reporter, "node2").tasks == 0
    assert not reporter.asked


def test_a_node_that_is_back_gets_its_share_of_odoo(tmp_path: Path) -> None:
    tasks = [docker.task("odoo"), docker.task("odoo", number=2)]
    found = docker.answers([_DATA, _OTHER], [docker.service("odoo", replicas=2)], tasks)
    stack = docker.stack_of(tmp_path, found)
    assert drain.back(stack, FakeReporter(), "node2").tasks == 0
    assert _changes(stack) == [
        "docker node update --availability active id-node2",
        "docker service scale --detach s-odoo=3",
        "docker service scale --detach s-odoo=2",
    ]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"swarm": ""}, "SWARM_FILESTORE_DEVICE"),
        ({"odoo_enterprise": "/srv/enterprise"}, "ODOO_ENTERPRISE"),
        ({}, r"secrets/db_password.txt does not exist"),
    ],
)
def test_a_deployment_that_must_fail_changes_nothing(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    stack = docker.stack_of(tmp_path, docker.answers([_DATA, _OTHER]))
    _set_sizes(tmp_path)
    if "swarm" in changed:
        changed = {"swarm": replace(stack.settings.swarm, filestore="")}
    with pytest.raises(OpsError, match=said):
        deploy.deploy(_with(stack, **changed), FakeReporter())
    assert not _changes(stack)


def test_a_platform_of_compose_is_not_taken_over_while_it_runs(tmp_path: Path) -> None:
    row = {"Service": "odoo_db", "Name": "x", "State": "running", "Labels": "", "Publishers": []}
    found = {**docker.answers([_DATA]), "docker ps": says(json.dumps(row))}
    stack = docker.stack_of(tmp_path, found)
    _complete(stack.settings)
    _set_sizes(tmp_path)
    with pytest.raises(OpsError, match="runs by Docker Compose") as failed:
        deploy.deploy(stack, FakeReporter())
    assert "inv down" in failed.value.hint


def _set_sizes(folder: Path) -> None:
    """As compose.replicas.yaml does, which is not there."""
    (folder / ".env").write_text("ODOO_DB_MAXCONN=8\n")


def _complete(settings: Settings) -> None:
    settings.secrets_folder.mkdir()
    for name in ("db_password", "backup_key"):
        (settings.secrets_folder / f"{name}.txt").write_text("x")
    current = settings.certificates / "current"
    current.mkdir(parents=True)
    # As much of one as its fingerprint needs.
    text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    (current / "fullchain.pem").write_text(text)


def test_images_of_this_machine_alone_are_not_deployed_to_others(tmp_path: Path) -> None:
    stack = docker.stack_of(tmp_path, {})
    images = ["localhost/x/swarm-odoo:abc"]
    with pytest.raises(OpsError, match="on this machine only") as failed:
        swarm_images.spread(stack, FakeReporter(), images, nodes=2, loaded=False)
    assert f"docker save {images[0]}" in failed.value.hint and "--loaded" in failed.value.hint
    swarm_images.spread(stack, FakeReporter(), images, nodes=2, loaded=True)
    swarm_images.spread(stack, FakeReporter(), images, nodes=1, loaded=False)
    assert not _changes(stack)
    stack = _with(stack, swarm=replace(stack.settings.swarm, registry="images.example.com/erp"))
    swarm_images.spread(stack, FakeReporter(), images, nodes=2, loaded=False)
    assert _changes(stack) == [f"docker push --quiet {images[0]}"]


def _backup(
    folder: Path, monkeypatch: pytest.MonkeyPatch, seen: Sequence[list[Any]], **logs: Any
) -> Stack:
    """The tasks of the service at each look; those of the last look from then on."""
    looks = list(seen)
    monkeypatch.setattr(once, "tasks", lambda *_: looks.pop(0) if len(looks) > 1 else looks[0])
    for name in ("_POLL_SECONDS", "_LOG_SECONDS", "_END_SECONDS"):
        monkeypatch.setattr(once, name, 0.0)
    found = docker.answers([_DATA], [docker.service("backup", replicas=0)])
    return docker.stack_of(folder, {**found, "docker service logs": says(**logs)})


_FAILED = docker.task("backup", state="failed", desired="shutdown", error="exit 1", code=1)
_DONE = docker.task("backup", state="complete", desired="shutdown")
_RUNS = docker.task("backup", state="running")


def test_a_backup_that_fails_says_why_and_its_task_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "error: no room\nhint: make some\n"
    stack = _backup(tmp_path, monkeypatch, [[], [], [_FAILED]], stderr=said)
    with pytest.raises(OpsError, match="no room") as failed:
        backup.create(stack, FakeReporter())
    assert failed.value.hint == "make some"
    first, last = _changes(stack)
    assert "--replicas=1 --args=create s-backup" in first
    assert "--replicas=0 --args=create s-backup" in last


def test_a_list_of_backups_leaves_the_service_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = _backup(tmp_path, monkeypatch, [[], [], [_DONE]], stdout="[]\n")
    assert backup.listed(stack, FakeReporter()) == []
    assert "--args=list" in _changes(stack)[0] and "--args=create" in _changes(stack)[1]


@pytest.mark.parametrize(
    ("task", "said"), [(_DONE, "is not told"), (_FAILED, "the task of backup failed: exit 1")]
)
def test_an_answer_that_docker_does_not_tell_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: Any, said: str
) -> None:
    stack = _backup(tmp_path, monkeypatch, [[], [], [task]])
    with pytest.raises(OpsError, match=said):
        backup.listed(stack, FakeReporter())


def test_a_task_that_is_at_work_is_not_taken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = _backup(tmp_path, monkeypatch, [[_RUNS]])
    changes: list[Callable[[Stack], object]] = [
        lambda stack: backup.create(stack, FakeReporter()),
        lambda stack: rollback.roll_back(stack, FakeReporter()),
        lambda stack: drain.back(stack, FakeReporter(), "node1"),
    ]
    for change in changes:
        with pytest.raises(OpsError, match="service backup is at work") as refused:
            change(stack)
        assert "docker service scale ipai-platform_backup=0" in refused.value.hint
    assert not _changes(stack)


def test_a_swarm_without_a_leader_for_a_moment_costs_no_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = _backup(tmp_path, monkeypatch, [[]], stdout="[]\n")
    looks = iter([[], [], OpsError("no leader"), [_RUNS], [_DONE], [_DONE]])

    def look(*_: Any) -> Any:
        if isinstance(found := next(looks), OpsError):
            raise found
        return found

    monkeypatch.setattr(once, "tasks", look)
    assert backup.listed(stack, FakeReporter()) == []


def test_a_task_that_does_not_end_is_told_and_what_it_did_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = docker.task("backup", state="running", number=2)
    stack = _backup(tmp_path, monkeypatch, [[], [], [_DONE], [_DONE, other]], stdout="[]\n")
    reporter = FakeReporter()
    assert backup.listed(stack, reporter) == []
    assert "1 of its tasks do not end" in reporter.said[-1]


def test_a_backup_that_no_node_takes_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = docker.task("backup", state="pending", error="no suitable node")
    stack = _backup(tmp_path, monkeypatch, [[], [], [waiting], []])
    monkeypatch.setattr(once, "_PLACING_SECONDS", -1.0)
    with pytest.raises(OpsError, match="gets no place: no suitable node"):
        backup.create(stack, FakeReporter())
    assert "--replicas=0" in _changes(stack)[-1]


def test_a_backup_cannot_be_rehearsed(tmp_path: Path) -> None:
    found = docker.answers([_DATA], [docker.service("backup", replicas=0)])
    stack = docker.stack_of(tmp_path, found, dry=True)
    with pytest.raises(UsageError, match="without making it"):
        backup.create(stack, FakeReporter())
    assert not _changes(stack)
