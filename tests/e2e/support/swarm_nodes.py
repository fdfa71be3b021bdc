"""Docker engines as machines of a Swarm, on a network of their own."""

import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.e2e.support.second_engine import SecondEngine

_NETWORK: Final = "10.213.77"  # in namespaces, except for the address of this machine, .1


@dataclass
class Switch:
    """A bridge in a network namespace of its own: no firewall of an engine is in its way."""

    name: str

    def plug(self, where: str, device: str) -> None:
        """Connect the network namespace `where`, a process id, by a `device` of that name."""
        port = f"p{secrets.token_hex(4)}"
        ends = ["type", "veth", "peer", "name", device, "netns", where]
        ip("link", "add", port, "netns", self.name, *ends)
        ip("-n", self.name, "link", "set", port, "master", "bridge0", "up")


@dataclass
class Machine(SecondEngine):
    """One of them; `number` tells it from the others."""

    switch: Switch = field(default_factory=lambda: Switch(""))
    number: int = 0

    @property
    def address(self) -> str:
        """Its IP address."""
        return f"{_NETWORK}.{self.number}"

    @property
    def name(self) -> str:
        """Its host name."""
        return f"node{self.number}"

    def prepare(self) -> None:
        """See SecondEngine.prepare."""
        self.do("hostname", self.name)
        self.switch.plug(self.init(), "eth0")
        self.do("ip", "address", "add", f"{self.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            self.do("ip", "link", "set", device, "up")

    def do(self, *argv: str) -> None:
        """Run a program on it."""
        subprocess.run([*self.inside(), *argv], check=True, capture_output=True)

    def docker(self, *arguments: str, timeout: float = 120) -> str:
        """What `docker` on it prints."""
        argv = ["docker", "--host", self.host, *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=timeout)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, *arguments: str) -> Any:
        """The JSON that `docker` on it prints."""
        return json.loads(self.docker(*arguments))

    def off(self) -> None:
        """Cut its power."""
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes.clear()


def ip(*arguments: str) -> None:
    """Run the program `ip`."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@contextmanager
def machines(folder: Path, count: int) -> Iterator[list[Machine]]:
    """So many machines with engines, which this machine reaches, and which end with the block."""
    switch = Switch(f"sw-{secrets.token_hex(4)}")
    ip("netns", "add", switch.name)
    started: list[Machine] = []
    try:
        ip("-n", switch.name, "link", "add", "bridge0", "type", "bridge")
        ip("-n", switch.name, "link", "set", "bridge0", "up")
        switch.plug("1", device := f"{switch.name}h")
        ip("address", "add", f"{_NETWORK}.1/24", "dev", device)
        ip("link", "set", device, "up")
        for number in range(11, 11 + count):
            machine = Machine(folder / str(number), switch=switch, number=number)
            machine.__enter__()
            started.append(machine)
        yield started
    finally:
        for machine in started:
            machine.__exit__()
        ip("netns", "delete", switch.name)
