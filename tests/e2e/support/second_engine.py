"""A Docker engine of its own that a test may kill, beside the one that everybody uses."""

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.support.waiting import eventually

_NAMESPACES = ("--net", "--mount", "--pid", "--uts")
# Hides the containerd of a first engine that systemd started: the second would use it. Leaves
# no zombies, which the next engine would take for alive.
_INIT = """
import os, subprocess, time
os.makedirs("/run/containerd", exist_ok=True)
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/containerd"], check=True)
while True:
    try:
        os.wait()
    except ChildProcessError:
        time.sleep(0.1)
"""


@dataclass
class SecondEngine:
    """Started in namespaces: its packets, mounts and processes are in nobody's way and end with it.

    Its containers reach each other and nothing else; images come from the first engine.
    """

    data: Path
    # Sockets have short names: 107 bytes at most (unix(7)).
    run: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="engine-")))
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Start it; only root can enter."""
        # The namespaces last as long as this, beyond a killed engine.
        init = [sys.executable, "-c", _INIT]
        self._spawn("unshare", *_NAMESPACES, "--fork", "--kill-child", "--mount-proc", *init)
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        shutil.rmtree(self.run)
        shutil.rmtree(self.data, ignore_errors=True)  # images, and what still ends

    def prepare(self) -> None:
        """What is to be done in the namespaces before the engine starts: here nothing."""

    @property
    def host(self) -> str:
        """Its address, for DOCKER_HOST."""
        return f"unix://{self.run}/docker.sock"

    def start(self) -> None:
        """Start it, again if need be."""
        self._spawn(
            *self.inside(),
            "dockerd",
            f"--host={self.host}",
            f"--data-root={self.data}",
            f"--exec-root={self.run}/exec",
            f"--pidfile={self.run}/docker.pid",
            "--containerd-namespace=second",
            "--containerd-plugins-namespace=second-plugins",
        )
        ready = eventually(lambda: self._docker("version").returncode == 0, 60)
        assert ready, (self.run / "log").read_text()[-3000:]

    def kill(self) -> None:
        """End it by SIGKILL: it can neither clean up nor say goodbye."""
        pid = (self.run / "docker.pid").read_text()
        subprocess.run([*self.inside(), "kill", "-KILL", pid], check=True)
        self.processes.pop().wait()

    def take(self, *images: str) -> None:
        """Copy images of the first engine."""
        with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saving:
            load = ["docker", "--host", self.host, "load", "--quiet"]
            subprocess.run(load, stdin=saving.stdout, check=True, capture_output=True, timeout=300)
        assert saving.returncode == 0

    def init(self) -> str:
        """The process id of the first process in the namespaces."""
        outer = self.processes[0].pid
        children = Path(f"/proc/{outer}/task/{outer}/children")
        return eventually(lambda: children.read_text().split(), 10)[0]

    def inside(self) -> list[str]:
        """What a command begins with that runs in the namespaces, once they are prepared."""
        init = self.init()
        mounts = Path(f"/proc/{init}/mounts")
        assert eventually(lambda: " /run/containerd tmpfs " in mounts.read_text(), 10)
        return ["nsenter", f"--target={init}", *_NAMESPACES]

    def _docker(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        argv = ["docker", "--host", self.host, *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)

    def _spawn(self, *argv: str) -> None:
        with (self.run / "log").open("ab") as log:
            self.processes.append(subprocess.Popen(argv, stdout=log, stderr=log))
