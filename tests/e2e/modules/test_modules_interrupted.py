"""A change of modules, and what it needs, is ended half-way: everything is as it was before."""

import collections
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.e2e.support.module_sandbox import ModuleSandbox
from tests.support.waiting import eventually

# With those that need the same platform.
pytestmark = pytest.mark.xdist_group("modules_faults")

SLEEP = """\
<odoo><function model="res.partner" name="zz_wait"/></odoo>
"""
STAYS_CLOSED = 5  # seconds, of nginx/gate where it is lost
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN); "
SLEEPER = """\
import signal
import time

from odoo import api, models


class Partner(models.Model):
    _inherit = "res.partner"

    @api.model
    def zz_wait(self):
        self.create({"name": "zz_half"})
        self.env.cr.commit()
        time.sleep(120)
"""


@pytest.fixture
def shop(steady: ModuleSandbox) -> ModuleSandbox:
    """Not the one of other tests here, which changes."""
    return steady


def begin(shop: ModuleSandbox, *arguments: str, stubborn: bool = False) -> subprocess.Popen[str]:
    """A change that has written half of what it writes, and waits.

    A stubborn one does not end when it is asked to.
    """
    code = SLEEPER.replace("time.sleep", f"{DEAF}time.sleep") if stubborn else SLEEPER
    shop.write("zz_slow", {"__init__.py": code, "data.xml": SLEEP})
    running = shop.platform.start("./scripts/inv", "module.install", *(arguments or ("zz_slow",)))
    assert eventually(lambda: shop.partners("zz_half"), 120), running.communicate(timeout=5)
    return running


def container(shop: ModuleSandbox) -> str:
    """The one that works on modules."""
    label = f"label=com.docker.compose.project={shop.platform.project}"
    oneoff = "label=com.docker.compose.oneoff=True"
    ids = shop.platform.run("docker", "ps", "-q", "--filter", label, "--filter", oneoff)
    return ids.stdout.strip()


def gone(shop: ModuleSandbox) -> bool:
    """Whether whatever was begun has ended, and nothing of it is left."""
    return (
        not container(shop)
        and not shop.partners("zz_half")
        and (not [name for name in shop.databases() if "__" in name])
    )


def clients_of_the_gate(running: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes through which `inv` keeps the gate closed."""
    below = psutil.Process(running.pid).children(recursive=True)
    return [p for p in below if p.is_running() and "/etc/nginx/gate" in p.cmdline()]


def held_by(shop: ModuleSandbox) -> str:
    """The process in Nginx's container that keeps it closed."""
    return shop.platform.exec("nginx", "readlink", "/tmp/closed").stdout


@contextmanager
def nobody_gets_in(shop: ModuleSandbox) -> Iterator[None]:
    """Visitors who try all the time while the block lasts."""
    seen: collections.Counter[int] = collections.Counter()
    over = threading.Event()

    def visit() -> None:
        while not over.wait(0.02):
            seen[shop.platform.get("/web/login")] += 1

    visitor = threading.Thread(target=visit)
    visitor.start()
    try:
        yield
    finally:
        over.set()
        visitor.join()
    assert seen.keys() <= {503, 0}, seen  # 0: Nginx itself is not there
    assert seen[503] > 20, seen


def test_the_client_of_the_gate_nginx_and_the_container_are_killed_half_way(
    shop: ModuleSandbox,
) -> None:
    running = begin(shop)
    nginx = shop.platform.container("nginx")
    with nobody_gets_in(shop):
        first = held_by(shop)
        for client in clients_of_the_gate(running):
            client.kill()
        assert eventually(lambda: held_by(shop) != first, 20)
        shop.platform.run("docker", "restart", nginx)
        time.sleep(STAYS_CLOSED + 1)  # it is the last one that keeps people out
        shop.platform.run("docker", "kill", container(shop))
    _, said = running.communicate(timeout=120)
    assert running.returncode == 1 and "was killed" in said
    assert said.count("the gate of Nginx was lost, and is closed again") == 2
    assert gone(shop)


@pytest.mark.parametrize(
    "number",
    [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.extended), signal.SIGINT],
)
def test_inv_is_ended_half_way(shop: ModuleSandbox, number: signal.Signals) -> None:
    # A shell has what it starts in the background ignore SIGINT, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    running = begin(shop)
    os.kill(running.pid, number)
    running.communicate(timeout=120)
    assert running.returncode != 0
    assert eventually(lambda: gone(shop), 60)
    assert eventually(lambda: shop.platform.get("/web/login") == 200, 30)


@pytest.mark.extended  # as where `inv` is killed, which takes the client with it
def test_a_client_that_dies_is_waited_for_by_nobody_but_us(shop: ModuleSandbox) -> None:
    """The container goes on without it, and undoes what it has begun by itself."""
    running = begin(shop, stubborn=True)
    words = f"project-directory {shop.platform.root} .*odoo_modules change"
    for pid in shop.platform.run("pgrep", "-f", words).stdout.split():
        os.kill(int(pid), signal.SIGKILL)
    _, said = running.communicate(timeout=120)
    assert running.returncode == 1 and "that failed" not in said, said
    assert not shop.partners("zz_half")
    assert eventually(lambda: gone(shop), 30)  # the container ends a moment later


def test_of_two_at_once_the_second_is_told_of_the_first(shop: ModuleSandbox) -> None:
    running = begin(shop)
    said = shop.refused("module.update", "web")
    assert "`inv module.install` (process" in said and "is still running" in said
    assert "`inv module`" in shop.refused("backup")  # which would see half of it
    assert "`inv module.install`" in shop.refused("down")  # which would take the database away
    running.terminate()
    running.communicate(timeout=120)
    assert eventually(lambda: gone(shop), 60)


def test_what_died_with_everybody_is_told_to_the_next(module_sandbox: ModuleSandbox) -> None:
    before = module_sandbox.everything()
    running = begin(module_sandbox)
    victim = container(module_sandbox)
    module_sandbox.platform.run(
        "docker", "pause", victim
    )  # so that it cannot undo what it has begun
    os.kill(running.pid, signal.SIGKILL)
    running.communicate(timeout=60)
    module_sandbox.platform.run("docker", "kill", victim)
    assert eventually(lambda: not container(module_sandbox), 30)
    said = module_sandbox.refused("module.update")
    assert "`install zz_slow`" in said and "was interrupted" in said
    module_sandbox.inv("module.rollback", "--yes")
    module_sandbox.inv("module.prune", "--keep", "0")
    assert gone(module_sandbox)
    assert module_sandbox.everything() == before
    module_sandbox.clean()
