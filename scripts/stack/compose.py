"""The running platform, reached by `docker compose` and the literal files."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import IO, NoReturn

from scripts.core.process import Completed, Runner
from scripts.core.settings import HTTPS, Environment, Settings


@dataclass(frozen=True)
class Service:
    """One container as `docker compose ps` shows it."""

    service: str
    name: str
    state: str  # created, running, restarting, exited, paused, dead
    health: str  # healthy, unhealthy, starting or ''
    exit_code: int
    ports: tuple[int, ...]  # published on the host
    targets: tuple[int, ...] = ()  # the ports in the container behind those
    oneoff: bool = False  # of `docker compose run`, beside the service's own container
    environment: Environment | None = None  # by its files; None if they are not told

    @property
    def broken(self) -> bool:
        """Whether it ended with an error, keeps restarting, or fails its health check."""
        ended = self.state in ("exited", "dead") and self.exit_code != 0
        return ended or self.state == "restarting" or self.health == "unhealthy"


@dataclass(frozen=True)
class Stack:
    """One installation and the runner that reaches it."""

    settings: Settings
    runner: Runner

    def argv(self, *arguments: str) -> list[str]:
        """The complete `docker compose` command line; a pure function."""
        files = [part for file in self.settings.compose_files for part in ("--file", str(file))]
        root = str(self.settings.root)
        return ["docker", "compose", "--project-directory", root, *files, *arguments]

    def run(
        self,
        *arguments: str,
        stdin: str | None = None,
        stdout: IO[bytes] | None = None,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = True,
        changes: bool = False,
    ) -> Completed:
        """Run a `docker compose` command; see Runner.run."""
        return self.runner.run(
            self.argv(*arguments),
            stdin=stdin,
            stdout=stdout,
            timeout=timeout,
            env=env,
            check=check,
            changes=changes,
        )

    def exec(self, service: str, *command: str, timeout: float = 30.0) -> Completed:
        """Run `command` in a running container, without a terminal."""
        return self.run("exec", "-T", service, *command, timeout=timeout, check=False)

    def become(self, *arguments: str) -> NoReturn:
        """Hand the terminal over to a `docker compose` command."""
        self.runner.replace(self.argv(*arguments))

    def services(self) -> list[Service]:
        """All containers of the project, stopped ones too."""
        listing = self.run("ps", "--all", "--format", "json", timeout=60)
        return [_service(json.loads(line)) for line in listing.stdout.splitlines() if line]

    def as_running(self) -> "Stack":
        """This stack in the environment that runs now, whatever the settings say it should be.

        Plain `docker compose` starts either; as it is where no container tells.
        """
        environment = self.environment() or self.settings.environment
        return replace(self, settings=replace(self.settings, environment=environment))

    def environment(self) -> Environment | None:
        """That of the containers, stopped ones too; None where there are none that tell."""
        services = [s for s in self.services() if not s.oneoff]
        for nginx in (s for s in services if s.service == "nginx" and s.state == "running"):
            return Environment.PROD if HTTPS in nginx.targets else Environment.DEV
        told = {s.environment for s in services if s.environment}
        return Environment.PROD if Environment.PROD in told else next(iter(told), None)

    def logs(self, service: str, lines: int) -> list[str]:
        """The last `lines` log lines of `service`."""
        tail = ["logs", "--no-color", "--no-log-prefix", "--tail", str(lines), service]
        done = self.run(*tail, timeout=60, check=False)
        return (done.stdout + done.stderr).splitlines()

    def volumes(self) -> list[str]:
        """Names of the project's volumes that exist."""
        label = f"label=com.docker.compose.project={self.settings.project}"
        argv = ["docker", "volume", "ls", "--filter", label, "--format", "{{.Name}}"]
        return self.runner.run(argv, timeout=60).stdout.split()


def _service(row: dict[str, object]) -> Service:
    publishers = row.get("Publishers") or []
    assert isinstance(publishers, list)
    published = [p for p in publishers if p["PublishedPort"]]
    labels = str(row.get("Labels") or "")
    return Service(
        service=str(row["Service"]),
        name=str(row["Name"]),
        state=str(row["State"]),
        health=str(row.get("Health") or ""),
        exit_code=int(str(row.get("ExitCode") or 0)),
        ports=tuple(sorted({p["PublishedPort"] for p in published})),
        targets=tuple(sorted({p.get("TargetPort", 0) for p in published})),
        oneoff="com.docker.compose.oneoff=True" in labels,
        environment=_environment(labels),
    )


def _environment(labels: str) -> Environment | None:
    """That of a container, by the files which Compose writes into its labels."""
    if "com.docker.compose.project.config_files=" not in labels:
        return None
    return Environment.PROD if "/compose.prod.yaml" in labels else Environment.DEV
