"""A clean clone of the project, used as its user would: by its commands only."""

import itertools
import json
import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import requests

from tests import durations
from tests.conftest import ROOT
from tests.e2e.support import repository_key
from tests.support.waiting import eventually

# Below the range of which the kernel takes ports for outgoing connections (32768 on Linux,
# 49152 on macOS): what is free there stays free until it is used. Each process of a run that
# goes on side by side has a range of its own.
_FIRST_PORT = 20_000
_PORTS_OF_A_WORKER = 1_500
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
# A run of another checkout beside this one begins elsewhere, most likely.
_begin = _FIRST_PORT + _worker % 8 * _PORTS_OF_A_WORKER + secrets.randbelow(_PORTS_OF_A_WORKER // 2)
_ports = itertools.count(_begin)


def prefix(run: str = "") -> str:
    """What the names of all projects of a run, by default this one, begin with."""
    return f"ipai-test-{run or os.environ.get('IPAI_TEST_RUN', 'by-hand')}-"


def free_port() -> int:
    """A port that nobody has, and that no other test is given."""
    return next(port for port in _ports if _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@dataclass(frozen=True)
class Checkout:
    """One clone with a project name and ports of its own."""

    root: Path
    http_port: int = field(default_factory=free_port)
    odoo_port: int = field(default_factory=free_port)
    mail_port: int = field(default_factory=free_port)
    clone_port: int = field(default_factory=free_port)
    project: str = field(default_factory=lambda: f"{prefix()}{secrets.token_hex(4)}")
    variables: Mapping[str, str] = field(default_factory=dict)  # what else its commands are given

    @classmethod
    def clone(cls, target: Path, *, with_venv: bool = True, **fields: Any) -> Self:
        """Copy what git has, plus what it would have after `git add`, and compiled modules."""
        listing = ["git", "-C", str(ROOT), "ls-files", "-z", "-co", "--exclude-standard"]
        names = subprocess.run(listing, check=True, capture_output=True).stdout.split(b"\0")
        sources = [ROOT / os.fsdecode(name) for name in filter(None, names)]
        # They stay valid in another folder, as copy2 keeps the times of their sources.
        for source in [*sources, *ROOT.glob("scripts/**/__pycache__/*.pyc")]:
            copy = target / source.relative_to(ROOT)
            if source.is_file():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, copy)
        if with_venv:
            (target / ".venv").symlink_to(ROOT / ".venv")
        return cls(target, **fields)

    @property
    def url(self) -> str:
        """Nginx as this host reaches it."""
        return f"http://localhost:{self.http_port}"

    @property
    def admin_password(self) -> str:
        """The generated password of the login admin."""
        return (self.root / "secrets" / "odoo_admin_password.txt").read_text().strip()

    def environment(self, **more: str) -> dict[str, str]:
        """This process's environment, with the clone's own name and ports."""
        own = {
            "COMPOSE_PROJECT_NAME": self.project,
            "NGINX_HTTP_PORT": str(self.http_port),
            "NGINX_BIND": "127.0.0.1",
            "ODOO_PORT": str(self.odoo_port),
            "MAIL_PORT": str(self.mail_port),
            "CLONE_PORT": str(self.clone_port),
            "NO_COLOR": "1",
        }
        return {**os.environ, **own, **self.variables, **more}

    def start(self, *argv: str, cwd: Path | None = None, **env: str) -> subprocess.Popen[str]:
        """Start a command in the clone without a terminal."""
        return subprocess.Popen(
            argv,
            cwd=cwd or self.root,
            env=self.environment(**env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self, *argv: str, cwd: Path | None = None, timeout: float = 900, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the clone to its end."""
        with durations.waiting(durations.kind(argv)):
            process = self.start(*argv, cwd=cwd, **env)
            out, err = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(argv, process.returncode, out, err)

    def inv(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run `./scripts/inv …`; a repository that it has made opens quickly from then on."""
        done = self.run("./scripts/inv", *arguments, cwd=None, timeout=900, **env)
        repository_key.make_cheap(self.root / "backups", self.root / "secrets/backup_key.txt")
        return done

    def compose(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run plain `docker compose …`, as somebody without Python would.

        In three quarters of the time: see scripts/stack/compose.py.
        """
        return self.run("docker", "compose", *arguments, GOGC="400")

    def exec(self, service: str, *command: str, user: str = "") -> subprocess.CompletedProcess[str]:
        """Run `command` in the container of `service`.

        Past Compose, whose own start takes longer than most of them: there are thousands.
        """
        options = ["--user", user] if user else []
        return self.run("docker", "exec", *options, f"{self.project}-{service}-1", *command)

    def sql(self, query: str, database: str = "odoo") -> str:
        """The answer of psql, unaligned."""
        done = self.exec("odoo_db", "psql", "-U", "odoo", "-d", database, "-tAc", query)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def copy_database(self, name: str) -> None:
        """Make `name` a copy of the database odoo; who is connected to that loses the connection.

        Odoo's pool does not mind, but for what it is doing at the moment.
        """
        leave = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'odoo'"
        copy = f"CREATE DATABASE {name} TEMPLATE odoo STRATEGY FILE_COPY"
        psql = ["psql", "-q", "-U", "odoo", "-d", "postgres", "-c", leave, "-c", copy]
        # It fails where somebody has connected in between and stays.
        assert eventually(lambda: self.exec("odoo_db", *psql).returncode == 0, 60)

    def container(self, service: str) -> str:
        """The id of the container of `service`."""
        labels = {"project": self.project, "service": service, "oneoff": "False"}
        chosen = [f"--filter=label=com.docker.compose.{k}={v}" for k, v in labels.items()]
        return self.run("docker", "ps", "--all", "--quiet", *chosen).stdout.strip()

    def inspect(self, service: str) -> dict[str, Any]:
        """What the engine knows of the container of `service`."""
        done = self.run("docker", "inspect", self.container(service))
        found: dict[str, Any] = json.loads(done.stdout)[0]
        return found

    def pid(self, service: str) -> int:
        """The process of its container; kill(2) would take 0 for the whole group of the tests."""
        pid = int(self.inspect(service)["State"]["Pid"])
        assert pid, f"{service} does not run"
        return pid

    def get(self, path: str) -> int:
        """The status of a GET through Nginx; 0 where nothing answers."""
        try:
            return requests.get(self.url + path, timeout=10, allow_redirects=False).status_code
        except requests.RequestException:
            return 0

    def authenticate(self, login: str, password: str) -> int | None:
        """The user id that Odoo gives for a login by JSON-RPC, or None."""
        arguments = ["odoo", login, password, {}]
        params = {"service": "common", "method": "authenticate", "args": arguments}
        body = {"jsonrpc": "2.0", "method": "call", "params": params}
        answer = requests.post(f"{self.url}/jsonrpc", json=body, timeout=30).json()
        assert "error" not in answer, answer
        return answer["result"] or None

    def destroy(self) -> None:
        """Remove containers, networks and volumes of this clone's project."""
        down = ["down", "--volumes", "--remove-orphans", "--timeout", "5"]
        self.run("docker", "compose", "--profile", "*", *down)
        # Those of a compose file that is not in use at the end.
        label = f"label=com.docker.compose.project={self.project}"
        left = self.run("docker", "volume", "ls", "--quiet", "--filter", label).stdout.split()
        if left:
            self.run("docker", "volume", "rm", *left)
        # Those that were built for it, as the names in its .env are mostly others'.
        form = ["--format", "{{.Repository}}:{{.Tag}}", f"localhost/{self.project}/*"]
        if built := self.run("docker", "image", "ls", *form).stdout.split():
            self.run("docker", "image", "rm", *built)
