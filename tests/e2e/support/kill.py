"""A command of `inv` under way, something of the platform that is killed, and how it went."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import psutil

from tests.e2e.support.checkout import Checkout
from tests.support.waiting import BUSY, eventually

# `inv`: the process alone, as by the kernel where memory is short. `all of inv`: with the
# docker clients that it has started, as where a machine ends a login. `container`: the one-off
# container of a program of ours. The others: PID 1 of the service.
VICTIMS: Final = ("inv", "all of inv", "client", "container", "odoo_db", "odoo", "redis", "nginx")
_WAIT: Final = 2.0  # seconds that a victim which is not there yet is waited for
_END_SECONDS: Final = 300  # in which a command has to end when something was killed under it


@dataclass(frozen=True)
class Kill:
    """What was killed, and how the command ended."""

    at: float  # seconds after the start of the command
    victim: str  # "" where the command had ended before
    code: int
    said: str  # on standard error


@dataclass(frozen=True)
class Killer:
    """Kills at random moments, by `random`; the output of commands goes to `folder`."""

    platform: Checkout
    random: random.Random
    folder: Path

    def strike(self, arguments: tuple[str, ...], usual: float) -> Kill:
        """Run `inv …`, which takes `usual` seconds, and kill something of it on the way."""
        moment = self.random.uniform(0, usual)
        wanted = self.random.sample(VICTIMS, len(VICTIMS))
        began = time.monotonic()
        with (self.folder / "out").open("w") as out, (self.folder / "err").open("w") as err:
            # Not by pipes: who survives its `inv` would hold them open.
            process = subprocess.Popen(
                [str(self.platform.root / "scripts" / "inv"), *arguments],
                cwd=self.platform.root,
                env=self.platform.environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            victim = self._kill(process, wanted)
        else:
            victim = ""
        at = time.monotonic() - began
        code = process.wait(_END_SECONDS * BUSY)
        return Kill(at, victim, code, (self.folder / "err").read_text())

    def _kill(self, process: subprocess.Popen[bytes], wanted: list[str]) -> str:
        for victim in wanted:
            wait = _WAIT if victim in ("client", "container") else 0
            attempt = partial(self._attempt, process, victim)
            if eventually(attempt, wait, exactly=True, interval=0.05):
                return victim
        return ""

    def _attempt(self, process: subprocess.Popen[bytes], victim: str) -> bool:
        """Kill `victim`, unless the command has ended or has none."""
        ways: dict[str, Callable[[psutil.Process], bool]] = {
            "inv": self._inv,
            "all of inv": self._all,
            "client": self._client,
            "container": self._container,
        }
        if process.poll() is not None:
            return False
        try:
            parent = psutil.Process(process.pid)
            return ways[victim](parent) if victim in ways else self._server(victim)
        except (psutil.NoSuchProcess, ProcessLookupError):
            return False

    def _inv(self, parent: psutil.Process) -> bool:
        parent.kill()
        return True

    def _all(self, parent: psutil.Process) -> bool:
        for found in (parent, *parent.children(recursive=True)):
            found.kill()
        return True

    def _client(self, parent: psutil.Process) -> bool:
        clients = [p for p in parent.children(recursive=True) if p.name().startswith("docker")]
        if clients:
            self.random.choice(clients).kill()
        return bool(clients)

    def _container(self, _: psutil.Process) -> bool:
        started = oneoffs(self.platform, "--filter=status=running")
        return bool(started) and self._end(self.random.choice(started))

    def _server(self, service: str) -> bool:
        return self._end(f"{self.platform.project}-{service}-1")

    def _end(self, container: str) -> bool:
        """Kill PID 1 of `container` as nobody has asked for: it is started again as it would be."""
        look = ["docker", "inspect", "--format", "{{.State.Pid}}", container]
        pid = int(self.platform.run(*look).stdout.strip() or 0)
        if pid:
            os.kill(pid, signal.SIGKILL)
        return bool(pid)


def oneoffs(platform: Checkout, *options: str) -> list[str]:
    """The containers of programs of ours."""
    project = f"--filter=label=com.docker.compose.project={platform.project}"
    oneoff = "--filter=label=com.docker.compose.oneoff=True"
    return platform.run(
        "docker", "ps", "--all", "--quiet", project, oneoff, *options
    ).stdout.split()
