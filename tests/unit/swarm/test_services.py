"""When a service has what it should, and what its update came to."""

from pathlib import Path
from typing import Any

import pytest

from scripts.core.errors import OpsError
from scripts.swarm import balance, nodes, services, status
from tests.unit.support import swarm_answers as docker
from tests.unit.support.fakes import FakeReporter

_OLD, _NEW = docker.template("odoo:1"), docker.template("odoo:2")
_NODES = [docker.node("node1", "data", "ingress"), docker.node("node2")]


def _look(folder: Path, service: Any, *tasks: Any) -> services.ServiceState:
    answers = docker.answers(_NODES, [service], list(tasks))
    (found,) = services.look(docker.stack_of(folder, answers))
    return found


def test_a_service_is_settled_when_all_its_tasks_are_new(tmp_path: Path) -> None:
    new, old = docker.task("odoo", made=_NEW), docker.task("odoo", "node2", made=_OLD, number=2)
    service = docker.service("odoo", replicas=2, now=_NEW)
    half = _look(tmp_path, service, new, old)
    assert (half.running, half.current, half.settled) == (2, 1, False)
    whole = _look(tmp_path, service, new, docker.task("odoo", "node2", made=_NEW, number=2))
    assert whole.settled and whole.nodes == ("id-node1", "id-node2")
    # More than there should be is not right either.
    three = [docker.task("odoo", made=_NEW, number=number) for number in (1, 2, 3)]
    assert not _look(tmp_path, service, *three).settled


@pytest.mark.parametrize("state", ["updating", "rollback_started"])
def test_an_update_under_way_is_waited_for(tmp_path: Path, state: str) -> None:
    service = docker.service("odoo", update=state, began="1")
    assert not _look(tmp_path, service, docker.task("odoo")).settled


def test_what_is_to_end_is_settled_when_it_has_ended(tmp_path: Path) -> None:
    once = docker.template(policy="on-failure")
    service = docker.service("odoo_init", now=once)
    ended = docker.task("odoo_init", state="complete", desired="shutdown", made=once)
    assert _look(tmp_path, service, ended).settled
    # Others wait for its end, not for its start.
    assert not _look(tmp_path, service, docker.task("odoo_init", made=once)).settled
    never = docker.service("backup", replicas=0, now=docker.template(policy="none"))
    assert _look(tmp_path, never).settled
    failed = docker.task("odoo_init", state="failed", made=once, desired="shutdown", error="exit 1")
    found = _look(tmp_path, service, failed)
    assert (found.settled, found.trouble) == (False, "exit 1")
    # That of the state before does not count.
    other = docker.template("odoo:2", policy="on-failure")
    assert not _look(tmp_path, docker.service("odoo_init", now=other), ended).settled


def test_the_last_trouble_is_told_while_a_task_is_missing(tmp_path: Path) -> None:
    service = docker.service("odoo", replicas=2)
    broken = [
        docker.task("odoo", state="failed", desired="shutdown", error=said, number=number)
        for number, said in ((1, "first"), (3, "last"), (2, "second"))
    ]
    assert _look(tmp_path, service, docker.task("odoo", number=4), *broken).trouble == "last"
    whole = [docker.task("odoo", number=number) for number in (4, 5)]
    assert _look(tmp_path, service, *whole, *broken).trouble == ""


def test_a_service_of_each_node_wants_as_many_as_are_meant_to_run(tmp_path: Path) -> None:
    tasks = [docker.task("nginx"), docker.task("nginx", "node2", state="starting", number=2)]
    found = _look(tmp_path, docker.service("nginx", replicas=None), *tasks)
    assert (found.wanted, found.running, found.settled) == (2, 1, False)


def test_an_update_that_was_rolled_back_is_an_error_once(tmp_path: Path) -> None:
    service = docker.service("odoo", update="rollback_completed", began="now")
    answers = docker.answers(_NODES, [service], [docker.task("odoo")])
    stack = docker.stack_of(tmp_path, answers)
    with pytest.raises(OpsError, match="the new odoo failed, and the one before runs again"):
        services.wait(stack, {"odoo": "before"}, seconds=0)
    # It was the one before this update.
    assert services.wait(stack, {"odoo": "now"}, seconds=0)
    # It was asked for.
    allowed = ("rollback_completed",)
    assert services.wait(stack, {"odoo": "before"}, seconds=0, allowed=allowed)


def test_a_service_that_is_not_there_in_time_is_named(tmp_path: Path) -> None:
    service = docker.service("odoo", replicas=2, update="updating", began="1")
    task = docker.task("odoo", state="rejected", desired="shutdown", error="no such image")
    answers = docker.answers(_NODES, [service], [task])
    with pytest.raises(OpsError, match=r"odoo has 0 of 2.*no such image") as failed:
        services.wait(docker.stack_of(tmp_path, answers), {}, seconds=0)
    assert "ipai-platform_odoo" in failed.value.hint


def test_tasks_are_placed_again_where_all_are_on_one_node(tmp_path: Path) -> None:
    service = docker.service("odoo", replicas=2)
    apart = [docker.task("odoo"), docker.task("odoo", "node2", number=2)]
    together = [docker.task("odoo"), docker.task("odoo", number=2)]
    for tasks, scaled in ((apart, []), (together, ["s-odoo=3", "s-odoo=2"])):
        stack = docker.stack_of(tmp_path, docker.answers(_NODES, [service], tasks))
        balance.spread(stack, FakeReporter(), services.look(stack))
        assert [argv[-1] for argv in docker.runner_of(stack).changing] == scaled


def test_the_way_back_is_worth_more_than_an_equal_share(tmp_path: Path) -> None:
    service = docker.service("odoo", replicas=2, now=_NEW, before=_OLD)
    together = [docker.task("odoo", made=_NEW), docker.task("odoo", made=_NEW, number=2)]
    stack = docker.stack_of(tmp_path, docker.answers(_NODES, [service], together))
    states = services.look(stack)
    assert balance.spread(stack, FakeReporter(), states) == states
    assert not docker.runner_of(stack).changing


@pytest.mark.parametrize(
    ("tasks", "missing"), [((2, 0), 1), ((1, 1), 0), ((4, 0), 2), ((3, 0), 1), ((1, 0), 0)]
)
def test_nodes_lack_what_others_have_more(
    tmp_path: Path, tasks: tuple[int, int], missing: int
) -> None:
    own = [
        docker.task("odoo", name, number=10 * number + one)
        for number, (name, count) in enumerate(zip(("node1", "node2"), tasks, strict=True))
        for one in range(count)
    ]
    service = docker.service("odoo", replicas=sum(tasks))
    stack = docker.stack_of(tmp_path, docker.answers(_NODES, [service], own))
    (state,) = services.look(stack)
    assert balance.missing(state, nodes.all_nodes(stack.runner)) == missing
    # There is no other that takes tasks.
    away = [_NODES[0], docker.node("node2", availability="drain")]
    stack = docker.stack_of(tmp_path, docker.answers(away, [service], own))
    assert balance.missing(state, nodes.all_nodes(stack.runner)) == sum(tasks) - tasks[0]


def test_people_see_where_tasks_are(tmp_path: Path) -> None:
    tasks = [docker.task("odoo"), docker.task("odoo", number=2)]
    answers = docker.answers(_NODES, [docker.service("odoo", replicas=2)], tasks)
    lines = status.look(docker.stack_of(tmp_path, answers)).lines
    assert lines[1].split()[:2] == ["node1", "leader"]
    assert lines[-1].split() == ["odoo", "2/2", "odoo:1", "-", "node1", "×2"]
    empty = status.look(docker.stack_of(tmp_path, docker.answers(_NODES))).lines
    assert "swarm.deploy" in empty[-1]
