"""Two machines, one swarm, and the platform on it."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest

from scripts.stack.engine import Engine
from tests.e2e.support import images
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.swarm_nodes import Machine, machines
from tests.e2e.support.swarm_visitor import NAME, Visitor
from tests.e2e.support.template import Template

_IMAGES: Final = ("ODOO_IMAGE", "ODOO_BASE_IMAGE", "BACKUP_IMAGE", "BACKUP_BASE_IMAGE")
_SERVERS: Final = ("NGINX_IMAGE", "POSTGRES_IMAGE", "REDIS_IMAGE")


@dataclass
class Swarm:
    """The manager, with the data and Nginx, another machine, and the clone that deploys."""

    manager: Machine
    other: Machine
    platform: Checkout
    visitor: Visitor

    def inv(self, *arguments: str) -> str:
        """What a command prints, which succeeds."""
        done = self.platform.inv(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def deploy(self) -> subprocess.CompletedProcess[str]:
        """Deploy what the clone says now, with images that both machines get."""
        self.platform.inv("swarm.deploy")  # builds, and says that they are on the manager only
        self.share()
        return self.platform.inv("swarm.deploy", "--loaded")

    def share(self) -> None:
        """Load the manager's newest images on the other machine."""
        there = set(self.other.docker("images", "--format", "{{.ID}}").split())
        form = "{{.Repository}}:{{.Tag}} {{.ID}}"
        rows = [
            line.split()
            for line in self.manager.docker("images", "--format", form).split("\n")
            if line
        ]
        new = [name for name, number in rows if "/swarm-" in name and number not in there]
        if not new:
            return
        save = ["docker", "--host", self.manager.host, "save", *new]
        load = ["docker", "--host", self.other.host, "load", "--quiet"]
        with subprocess.Popen(save, stdout=subprocess.PIPE) as saving:
            subprocess.run(load, stdin=saving.stdout, check=True, capture_output=True)

    def nodes_of(self, service: str) -> list[str]:
        """Host names of the machines where it runs."""
        name = f"{self.platform.project}_{service}"
        form = "{{.Node}} {{.CurrentState}}"
        chosen = ["--filter", "desired-state=running", "--format", form]
        lines = self.manager.docker("service", "ps", name, *chosen).splitlines()
        return sorted(line.split()[0] for line in lines if line.split()[1] == "Running")

    def container(self, machine: Machine, service: str) -> str:
        """The id of a container of it on `machine`."""
        label = f"label=com.docker.swarm.service.name={self.platform.project}_{service}"
        return machine.docker("ps", "--quiet", "--filter", label).split()[0]

    def sql(self, query: str) -> str:
        """The answer of psql on the platform's database, as the superuser."""
        psql = ["psql", "-U", "postgres", "-d", "odoo", "-Atqc", query]
        return self.manager.docker("exec", self.container(self.manager, "odoo_db"), *psql).strip()

    def odoo(self, machine: Machine, service: str, script: str) -> None:
        """Run a script in Odoo's shell in a container of `service` on `machine`."""
        shell = ["odoo", "shell", "--database", "odoo", "--no-http"]
        argv = ["docker", "--host", machine.host, "exec", "-i", self.container(machine, service)]
        done = subprocess.run(
            [*argv, *shell], input=script, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr

    def status(self) -> Any:
        """What `inv swarm.status --json` prints."""
        return json.loads(self.inv("swarm.status", "--json"))


@contextmanager
def prepared(folder: Path, count: int, *settings: str, password: str = "") -> Iterator[Swarm]:
    """A swarm of so many machines with a clone that can be deployed on it, and is not yet.

    `password` is that of Odoo's role on a server elsewhere.
    """
    if os.geteuid() != 0:
        pytest.skip("an engine that may be killed can be started by root only")
    files = folder / "filestore"  # both machines see it, as they would see a folder by NFS
    files.mkdir(mode=0o755)
    clone = Checkout.clone(folder / "clone")
    own = [
        "PLATFORM_ENV=prod",
        f"ODOO_DOMAIN={NAME}",
        "ODOO_WORKERS=2",
        "SWARM_FILESTORE_TYPE=none",
        "SWARM_FILESTORE_OPTIONS=bind",
        f"SWARM_FILESTORE_DEVICE={files}",
    ]
    images.write_settings(clone, *own, *settings)
    with machines(folder, count) as found:
        manager, other = found[0], found[-1]
        used = images.in_use(clone)
        manager.take(*(used[name] for name in (*_IMAGES, *_SERVERS)))
        ports = {"NGINX_HTTP_PORT": "80", "NGINX_HTTPS_PORT": "443"}
        platform = replace(clone, variables={"DOCKER_HOST": manager.host, **ports})
        if password:
            (clone.root / "secrets").mkdir(mode=0o700)
            (clone.root / "secrets" / "db_password.txt").write_text(password)
        for words in (["secrets"], ["setup-tls", "selfsigned"]):
            assert platform.inv(*words).returncode == 0
        swarm = Swarm(manager, other, platform, Visitor(manager, platform.admin_password))
        swarm.inv("swarm.init", "--address", manager.address)
        yield swarm


@pytest.fixture(scope="package")
def swarm(
    docker: Engine, template: Template, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Swarm]:
    """The platform, deployed on two."""
    with prepared(tmp_path_factory.mktemp("swarm"), 2, "ODOO_REPLICAS=2") as found:
        joined(found)
        yield found


def joined(swarm: Swarm) -> None:
    """Have the other machine join, and deploy on both."""
    token = swarm.manager.docker("swarm", "join-token", "--quiet", "worker").strip()
    swarm.other.docker("swarm", "join", "--token", token, f"{swarm.manager.address}:2377")
    done = swarm.deploy()
    assert done.returncode == 0, done.stderr
    assert swarm.visitor.log_in()
