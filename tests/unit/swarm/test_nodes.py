"""The machines of a swarm: whether this engine can be asked, and which there are."""

import json
from pathlib import Path

import pytest

from scripts.core.errors import OpsError, UsageError
from scripts.swarm import join, nodes
from tests.unit.support import swarm_answers as docker
from tests.unit.support.fakes import FakeReporter, FakeRunner, command_line, says

_OUTSIDE = says(json.dumps({"LocalNodeState": "inactive"}))


@pytest.mark.parametrize(
    ("told", "said", "hint"),
    [
        ({"LocalNodeState": "inactive"}, "in no swarm", "swarm.init"),
        ({"LocalNodeState": "locked"}, "locked", "unlock"),
        ({"LocalNodeState": "error"}, "state error", "docker info"),
        ({"LocalNodeState": "active", "ControlAvailable": False}, "worker", "manager"),
    ],
)
def test_an_engine_that_cannot_be_asked_says_why(
    told: dict[str, object], said: str, hint: str
) -> None:
    runner = FakeRunner({docker.INFO: says(json.dumps(told))})
    with pytest.raises(OpsError, match=said) as failed:
        nodes.require_manager(runner)
    assert hint in failed.value.hint


def test_nodes_are_told_by_name(tmp_path: Path) -> None:
    stack = docker.stack_of(
        tmp_path, docker.answers([docker.node("b"), docker.node("a", "data", "ingress")])
    )
    found = nodes.all_nodes(stack.runner)
    assert [(node.name, node.labels, node.leader) for node in found] == [
        ("a", (nodes.DATA, nodes.INGRESS), True),
        ("b", (), False),
    ]
    assert nodes.named(found, "id-b").name == "b"
    with pytest.raises(UsageError, match="no node 'c'"):
        nodes.named(found, "c")
    with pytest.raises(UsageError, match="no node ''"):
        nodes.named(found, "")
    with pytest.raises(UsageError, match="several nodes"):
        nodes.named([*found, found[0]], "a")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([["ingress"], []], "ipai.data: none"),
        ([["data", "ingress"], ["data"]], "ipai.data: n0, n1"),
        ([["data"], []], "no node has the label ipai.ingress"),
    ],
)
def test_the_data_has_one_place_and_visitors_one_at_least(
    tmp_path: Path, labels: list[list[str]], said: str
) -> None:
    known = [docker.node(f"n{number}", *own) for number, own in enumerate(labels)]
    stack = docker.stack_of(tmp_path, docker.answers(known))
    with pytest.raises(OpsError, match=said):
        nodes.require_labels(nodes.all_nodes(stack.runner))


def test_a_swarm_that_is_there_is_kept_and_only_missing_labels_are_given() -> None:
    known = [docker.node("here", "ingress"), docker.node("other", "data")]
    runner = FakeRunner(docker.answers(known))
    joined = join.begin(runner, FakeReporter(), "")
    assert (joined.node, joined.begun, joined.labels) == ("here", False, (nodes.INGRESS,))
    assert not runner.changing

    runner = FakeRunner(docker.answers([docker.node("here")]))
    assert join.begin(runner, FakeReporter(), "").labels == (nodes.DATA, nodes.INGRESS)
    changes = [command_line(argv) for argv in runner.changing]
    labels = "--label-add=ipai.data=true --label-add=ipai.ingress=true"
    assert changes == [f"docker node update {labels} id-here"]


def test_of_several_addresses_one_has_to_be_named() -> None:
    refused = says(code=1, stderr="could not choose an IP address: use --advertise-addr")
    runner = FakeRunner({docker.INFO: _OUTSIDE, "docker swarm init": refused})
    with pytest.raises(OpsError, match="several addresses") as failed:
        join.begin(runner, FakeReporter(), "")
    assert "--address" in failed.value.hint


def test_a_dry_run_begins_no_swarm() -> None:
    runner = FakeRunner({docker.INFO: _OUTSIDE}, dry=True)
    assert join.begin(runner, FakeReporter(), "10.0.0.5").begun
    assert [argv[-1] for argv in runner.changing] == ["--advertise-addr=10.0.0.5"]
