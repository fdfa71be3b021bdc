"""Random kills: nothing is lost, nothing is half done, and one documented command brings it back.

`KILLS` in the environment is how many there are of each operation, `KILL_SEED` what makes their
moments and victims; it is in every message. A line for each goes to `kills.tsv` in the base
folder of the run: operation, number, moment, usual duration, victim, exit code, whether a page
was served then, the command that brought it back, the side on which it came out.
"""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.support import kill_operations
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.kill import Killer, oneoffs
from tests.e2e.support.kill_operations import AFTER, Operation
from tests.e2e.support.platform_state import PlatformState
from tests.e2e.support.template import Template, running_copy
from tests.support.waiting import eventually

pytestmark = [pytest.mark.soak, pytest.mark.xdist_group("kills")]

_KILLS = int(os.environ.get("KILLS", "20"))
_AGAIN = 4  # after every so many kills it is run to a good end
FAULT, TOO_LATE = "FAULT", "too late"
_SEED = os.environ.get("KILL_SEED", "") or str(random.randrange(10**6))
_OPERATIONS: dict[str, tuple[type[Operation], int]] = {
    "restore": (kill_operations.Restore, _KILLS // 2),
    "rotation": (kill_operations.Rotation, _KILLS),
    "restore_file": (kill_operations.RestoreFile, _KILLS - _KILLS // 2),
    "modules": (kill_operations.Modules, _KILLS),
    "backup": (kill_operations.Backup, _KILLS),
    "up": (Operation, _KILLS),
}


@pytest.fixture
def held(template: Template, tmp_path: Path) -> Iterator[PlatformState]:
    """A platform of its own for each operation."""
    with running_copy(template, Checkout.clone(tmp_path / "clone"), "ODOO_DEV=") as platform:
        yield PlatformState.of(platform)


def _usual(operation: Operation) -> float:
    """How long it takes where nothing is killed."""
    operation.prepare()
    began = time.monotonic()
    done = operation.held.platform.inv(*operation.command)
    assert done.returncode == 0, done.stderr
    return time.monotonic() - began


def _one(operation: Operation, killer: Killer, usual: float, *, again: bool) -> list[str]:
    """Kill once, bring it back, compare; what there is to tell.

    With `again` it is then run to a good end.
    """
    held = operation.held
    held.work()
    before = operation.state()
    operation.prepare()
    kill = killer.strike(operation.command, usual)
    told = [f"{kill.at:.1f}", f"{usual:.1f}", kill.victim or TOO_LATE, str(kill.code)]
    try:
        told.append(str(held.platform.get("/web/login")))
        told.append(operation.recover() if kill.code else "nothing")
        held.assert_usable()
        after = operation.state()
        told.append(side := operation.side(before, after))
        # Who is told that it has worked may rely on it.
        assert kill.code or side == AFTER or type(operation) is Operation, "exit code 0"
        assert eventually(lambda: not oneoffs(held.platform), 20), "containers are left"
        if again:
            _run_again(operation, side)
        if again or side == AFTER:
            operation.is_done()
    except Exception as error:
        told.append(f"{FAULT} {error} | {kill.said}".replace("\n", " | ").replace("\t", " "))
    return told


def _run_again(operation: Operation, side: str) -> None:
    done = operation.held.platform.inv(*operation.begin_again(side))
    assert done.returncode == 0, f"not again: {done.stderr}"
    operation.held.assert_healthy()
    operation.assert_no_leftovers(operation.state())


def _goes_on(operation: Operation) -> bool:
    """Whether the platform, after a fault, is good for another kill."""
    for command in ("secrets", "up"):
        operation.held.platform.inv(command)
    operation.once()
    return operation.held.platform.inv(*operation.command).returncode == 0


@pytest.mark.parametrize("name", _OPERATIONS)
def test_nothing_is_lost_whatever_is_killed(
    held: PlatformState,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
    name: str,
) -> None:
    kind, count = _OPERATIONS[name]
    operation = kind(held, tmp_path, random.Random(f"{_SEED} {name}"))
    operation.once()
    usual = _usual(operation)
    operation.is_done()
    log = tmp_path_factory.getbasetemp() / "kills.tsv"
    lines: list[str] = []
    while (done := len([x for x in lines if TOO_LATE not in x])) < count:
        number = len(lines) + 1
        assert number < 2 * count + 2, f"KILL_SEED={_SEED}: only {done} kills were in time"
        operation.random.seed(f"{_SEED} {name} {number}")
        killer = Killer(held.platform, operation.random, tmp_path)
        told = _one(operation, killer, usual, again=number % _AGAIN == 0)
        lines.append("\t".join([name, str(number), *told]))
        with log.open("a") as stream:
            stream.write(lines[-1] + "\n")
        if FAULT in lines[-1] and not _goes_on(operation):
            break
    request.node.add_report_section("call", "kills", "\n".join(lines))
    faults = [line for line in lines if FAULT in line]
    assert not faults, "\n".join([f"KILL_SEED={_SEED}", *faults])
    check = held.platform.inv("backup.check", "--data")
    assert check.returncode == 0, check.stderr
