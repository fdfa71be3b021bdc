"""The beginning of a swarm: this machine, with its labels."""

from collections.abc import Iterator
from dataclasses import dataclass

from scripts.core.errors import OpsError
from scripts.core.process import Runner
from scripts.core.report import Reporter
from scripts.swarm import nodes


@dataclass(frozen=True)
class Joined:
    """What `init` has done."""

    node: str  # host name of this machine
    begun: bool  # whether the swarm did not exist before
    labels: tuple[str, ...]  # that this machine has now

    @property
    def lines(self) -> list[str]:
        """For people."""
        state = "is the first machine of a new swarm" if self.begun else "is in a swarm already"
        return [
            f"{self.node} {state}; its labels: {', '.join(self.labels)}",
            "On each other machine run what this prints: docker swarm join-token worker",
            "(or `manager`: three managers survive the loss of one). Then: inv swarm.deploy",
        ]


def begin(runner: Runner, reporter: Reporter, address: str) -> Joined:
    """Make this engine the manager of a swarm, unless it is one, and label it.

    `address`: the one that other machines reach it by; if empty, Docker chooses where there is one.
    Raises OpsError where it is a worker.
    """
    own = nodes.membership(runner)
    begun = own.state == "inactive"
    if begun:
        with reporter.step("Beginning a swarm"):
            _init(runner, address)
        if runner.dry:
            return Joined("this machine", begun, (nodes.DATA, nodes.INGRESS))
    own = nodes.require_manager(runner)
    known = nodes.all_nodes(runner)
    here = next(node for node in known if node.id == own.id)
    missing = tuple(_missing(known, here))
    if missing:
        nodes.label(runner, here, *missing)
    return Joined(here.name, begun, (*here.labels, *missing))


def _init(runner: Runner, address: str) -> None:
    given = [f"--advertise-addr={address}"] if address else []
    argv = ["docker", "swarm", "init", *given]
    done = runner.run(argv, timeout=120, check=False, changes=True)
    if done.ok:
        return
    if "--advertise-addr" in done.stderr:
        hint = "Name the one by which other machines reach it: inv swarm.init --address 10.0.0.5"
        raise OpsError("this machine has several addresses", hint)
    raise OpsError(f"no swarm could be begun: {done.last_line}", "See: docker info")


def _missing(known: list[nodes.Node], here: nodes.Node) -> Iterator[str]:
    """Labels that no machine has: a second one with the data would begin an empty database."""
    for name in (nodes.DATA, nodes.INGRESS):
        if not any(name in node.labels for node in known):
            yield name
