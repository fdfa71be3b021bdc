"""Odoo's services in a swarm: stopped and started again together, and what they run."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.report import Reporter
from scripts.stack import oneoff
from scripts.stack.compose import Stack
from scripts.swarm import deploy, nodes, once, services
from scripts.swarm.services import ServiceState
from scripts.swarm.stackfile import ODOO
from toolbox.contract.backups import OdooInfo

_SECRET: Final = "db_password"  # noqa: S105 - the name of one
_STOP_SECONDS: Final = 400.0  # three times the longest stop_grace_period of Odoo's
_START_SECONDS: Final = 1200.0
_POLL_SECONDS: Final = 1.0


def of(stack: Stack) -> list[ServiceState]:
    """Those services, and how many tasks each should have.

    As many as a deployment gives them where a restore that was killed has left none. Raises
    OpsError where they are not deployed.
    """
    replicas = deploy.of_swarm(stack).settings.replicas
    found = [
        replace(one, wanted=one.wanted or (replicas if one.name == "odoo" else 1))
        for one in services.deployed(stack)
        if one.name in ODOO
    ]
    if len(found) != len(ODOO):
        raise OpsError("Odoo is not deployed as a whole", "Run: inv swarm.deploy")
    return found


def about(stack: Stack, odoo: Sequence[ServiceState]) -> OdooInfo:
    """Version and modules of the Odoo that `odoo` runs; a container of its image tells."""
    settings = stack.settings
    secret = settings.secrets_folder / f"{_SECRET}.txt"
    if not secret.is_file():
        raise OpsError(f"secrets/{_SECRET}.txt does not exist here", "Copy it from where it is.")
    mounts = {
        settings.root / "toolbox": "/opt/platform/toolbox",
        secret: f"/run/secrets/{_SECRET}",
    }
    variables = {
        "ODOO_RC": "/run/odoo/odoo.conf",
        "ODOO_DATABASE": "postgres",
        "PGUSER": "odoo",
        "PYTHONPATH": "/etc/odoo:/opt/platform",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    options = ["--rm", "--network=none", "--read-only"]
    options += [f"--tmpfs={place}" for place in ("/tmp", "/run/odoo", "/var/lib/odoo")]  # noqa: S108
    options += [f"--mount=type=bind,src={at},dst={to},readonly" for at, to in mounts.items()]
    options += [f"--env={name}={value}" for name, value in variables.items()]
    program = [odoo[0].image, "python3", "-P", "-m", "toolbox.backup.odoo_info"]
    done = stack.runner.run(["docker", "run", *options, *program], timeout=600, check=False)
    if not done.ok:
        raise OpsError(f"Odoo does not tell its version: {done.last_line}", "inv swarm.deploy")
    return oneoff.answer(OdooInfo, done.stdout.splitlines()[-1])


def require_reachable(stack: Stack, reporter: Reporter, odoo: Sequence[ServiceState]) -> None:
    """Ask where a node that is away may go on with Odoo; raises OpsError if nobody agrees.

    It may reach the database all the same, if only this manager does not reach it.
    """
    ready = {node.id: node.state == "ready" for node in nodes.all_nodes(stack.runner)}
    names = {node.id: node.name for node in nodes.all_nodes(stack.runner)}
    tasks = [task for one in odoo for task in once.tasks(stack, one.id) if not once.ended(task)]
    away = {task.get("NodeID", "") for task in tasks} - {
        number for number in ready if ready[number]
    }
    shown = ", ".join(sorted(names[number] for number in away if number in names))
    if not shown:
        return
    question = f"{shown} is away, and may run an Odoo that cannot be stopped. Continue?"
    if not reporter.confirm(question, unattended=False):
        raise OpsError(
            "nothing was changed: a node is away",
            f"See that it is off, then: docker node rm --force {shown.split(', ')[0]}; or say yes.",
        )


@contextmanager
def stopped(stack: Stack, reporter: Reporter, odoo: Sequence[ServiceState]) -> Iterator[None]:
    """While the block runs, no Odoo does; afterwards, however it ends, as many as before."""
    try:
        with reporter.step("Stopping Odoo"):
            _scale(stack, {one.id: 0 for one in odoo})
            _await_end(stack, odoo)
        yield
    finally:
        start(stack, reporter, odoo)


def start(stack: Stack, reporter: Reporter, odoo: Sequence[ServiceState]) -> None:
    """Have as many tasks run as `odoo` says; raises OpsError if they do not."""
    with reporter.step("Starting Odoo"):
        before = {one.name: one.updated for one in once.patiently(lambda: services.look(stack))}
        _scale(stack, {one.id: one.wanted for one in odoo})
        own = {one.id for one in odoo}
        services.wait(stack, before, seconds=_START_SECONDS, only=lambda state: state.id in own)


def _scale(stack: Stack, counts: Mapping[str, int]) -> None:
    wanted = [f"{number}={count}" for number, count in counts.items()]
    argv = ["docker", "service", "scale", "--detach", *wanted]
    once.patiently(lambda: stack.runner.run(argv, timeout=120, changes=True))


def _await_end(stack: Stack, odoo: Sequence[ServiceState]) -> None:
    """Until no container of it runs, except on nodes that are away."""
    deadline = time.monotonic() + _STOP_SECONDS
    while left := once.patiently(lambda: _running(stack, odoo)):
        if time.monotonic() > deadline:
            raise OpsError(f"{left} tasks of Odoo do not end", "inv swarm.status")
        time.sleep(_POLL_SECONDS)


def _running(stack: Stack, odoo: Sequence[ServiceState]) -> int:
    there = {node.id for node in nodes.all_nodes(stack.runner) if node.state == "ready"}
    tasks = [task for one in odoo for task in once.tasks(stack, one.id)]
    return sum(not once.ended(task) and task.get("NodeID") in there for task in tasks)
