"""The running platform, reached by `docker compose` and the literal files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NoReturn, Unpack

from scripts.core.archive_settings import PROFILE
from scripts.core.completed import Completed
from scripts.core.errors import OpsError, UsageError
from scripts.core.process import Runner, RunOptions
from scripts.core.settings import HTTPS, Environment, Settings

_ONEOFF: Final = "com.docker.compose.oneoff"
_REPLICAS_FILE: Final = "compose.replicas.yaml"
_FILES: Final = "com.docker.compose.project.config_files"
# To read compose.yaml takes Compose most of its time, a quarter of it for collecting garbage of
# which a command that ends at once has 15 MB.
_LITTLE_GARBAGE: Final = {"GOGC": "400"}
# Not all of it: the environment of a container may hold secrets.
_FACTS: Final = (
    '{"Name": {{json .Name}}, "State": {{json .State}}, "RestartCount": {{.RestartCount}}, '
    '"Labels": {{json .Config.Labels}}, "Ports": {{json .NetworkSettings.Ports}}, '
    '"Command": {{json .Config.Cmd}}}'
)


@dataclass(frozen=True)
class Service:
    """One container of the project, as the engine knows it."""

    service: str
    name: str
    state: str  # created, running, restarting, exited, paused, dead
    health: str  # healthy, unhealthy, starting or ''
    exit_code: int
    ports: tuple[int, ...]  # published on the host
    targets: tuple[int, ...] = ()  # the ports in the container behind those
    bound: tuple[tuple[int, int], ...] = ()  # each published port, and the one behind it
    oneoff: bool = False  # of `docker compose run`, beside the service's own container
    environment: Environment | None = None  # by its files; None if they are not told
    restarts: int = 0  # of the container, by the engine, since it was started
    started: str = ""  # when (ISO 8601), the last time
    out_of_memory: bool = False  # before that start, the kernel had killed a process of it
    command: tuple[str, ...] = ()  # and its arguments
    configuration: str = ""  # Compose's hash of what it was made of
    files: tuple[str, ...] = ()  # the compose files of that

    @property
    def stopped(self) -> bool:
        """Whether it has ended and is not started again: that was asked for, whatever its code."""
        return self.state == "exited"

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

    def run(self, *arguments: str, **options: Unpack[RunOptions]) -> Completed:
        """Run a `docker compose` command; see Runner.run."""
        options["env"] = {**_LITTLE_GARBAGE, **self._derived, **(options.get("env") or {})}
        return self.runner.run(self.argv(*arguments), **options)

    @property
    def _derived(self) -> dict[str, str]:
        """Variables of Compose that follow from others: of replicas and of archiving."""
        settings = self.settings
        # As they run, or were asked for, whatever `.env` says.
        found = {"ODOO_REPLICAS": str(settings.replicas)} if settings.replicas else {}
        if settings.archive.wanted and settings.environment is Environment.DEV:
            profiles = dict.fromkeys((*settings.clone.profiles, PROFILE))
            found["COMPOSE_PROFILES"] = ",".join(profiles)
        if settings.backups_elsewhere:
            found["BACKUP_NETWORK"] = "edge"
        return found

    def exec(
        self,
        service: str,
        *command: str,
        user: str = "",
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        timeout: float = 30.0,
        changes: bool = False,
    ) -> Completed:
        """Run `command` in the running container of `service`, without a terminal.

        `env` is set in the container, and may be seen in the list of processes.
        """
        found = self._find("--filter", f"label=com.docker.compose.service={service}")
        if not found.ok or not found.stdout:
            return replace(found, code=1, stderr=found.stderr or f"{service} is not running")
        argv = self.exec_argv(found.stdout.split()[0], *command, user=user, env=env)
        run = self.runner.run
        return run(argv, stdin=stdin, timeout=timeout, check=False, changes=changes)

    @staticmethod
    def exec_argv(
        container: str, *command: str, user: str = "", env: Mapping[str, str] | None = None
    ) -> list[str]:
        """The command line that runs `command` in `container`; a pure function.

        Not `docker compose exec`, which reads the files of the project first: a fourth of the time.
        """
        options = ["--user", user] if user else []
        options += [f"--env={name}={value}" for name, value in (env or {}).items()]
        return ["docker", "exec", "--interactive", *options, container, *command]

    def replace_process(self, *arguments: str) -> NoReturn:
        """Run a `docker compose` command in the place of this process, with its terminal."""
        self.runner.replace_process(self.argv(*arguments))

    def require_services(self, names: Sequence[str]) -> None:
        """Raises UsageError where one of `names` is no service of the compose files."""
        if not names:
            return
        known = self.run("--profile", "*", "config", "--services", timeout=60).stdout.split()
        for name in names:
            if name not in known:
                hint = f"Services: {', '.join(sorted(known))}"
                raise UsageError(f"there is no service {name!r}", hint)

    def require_containers(self, services: Sequence[str]) -> None:
        """Raises OpsError where one of `services` has no container, and without any at all."""
        if self.runner.dry:
            return
        known = {container.service for container in self.services()}
        for name in services:
            if name not in known:
                raise OpsError(f"there is no container of {name}", "See: inv ps")
        if not known:
            raise OpsError("there are no containers", "To start the platform: inv up")

    def require_running(self, service: str, start: str = "inv up") -> None:
        """Raises OpsError where the container of `service` does not run; `start` starts it."""
        if self.runner.dry:
            return
        found = self._find("--filter", f"label=com.docker.compose.service={service}")
        if not found.stdout.strip():
            raise OpsError(f"{service} is not running", f"See: inv ps. To start it: {start}")

    def services(self) -> list[Service]:
        """All containers of the project by name, stopped ones and those of one-off runs too.

        Raises OpsError where no engine answers.
        """
        found = self._find("--all", oneoff=True)
        if not found.ok:
            from scripts.stack import engine  # whose own imports take their time

            raise engine.unreachable(found.stderr)
        ids = found.stdout.split()
        if not ids:
            return []
        inspect = ["docker", "container", "inspect", "--format", _FACTS, *ids]
        # One that is removed meanwhile makes it fail, and is none any more.
        rows = self.runner.run(inspect, timeout=60, check=False).stdout.splitlines()
        return sorted((_service(json.loads(row)) for row in rows if row), key=lambda s: s.name)

    def as_running(self) -> "Stack":
        """This stack in the environment that runs now, whatever the settings say it should be.

        Plain `docker compose` starts either; as it is where no container tells.
        """
        environment = self.environment() or self.settings.environment
        replicas = self.settings.replicas
        odoo = [s for s in self.services() if s.service == "odoo" and not s.oneoff]
        if odoo:
            apart = any(_REPLICAS_FILE in {Path(file).name for file in s.files} for s in odoo)
            replicas = (replicas or len(odoo)) if apart else 0
        settings = replace(self.settings, environment=environment, replicas=replicas)
        return replace(self, settings=settings)

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

    def _find(self, *filters: str, oneoff: bool = False) -> Completed:
        """The ids of containers of the project, in lines; see `docker ps`."""
        options = [*filters] if oneoff else [*filters, "--filter", f"label={_ONEOFF}=False"]
        argv = ["docker", "ps", "--quiet", "--no-trunc", "--filter", self._label, *options]
        return self.runner.run(argv, timeout=60, check=False)

    @property
    def _label(self) -> str:
        return f"label=com.docker.compose.project={self.settings.project}"

    def volumes(self) -> list[str]:
        """Names of the project's volumes that exist."""
        label = self._label
        argv = ["docker", "volume", "ls", "--filter", label, "--format", "{{.Name}}"]
        return self.runner.run(argv, timeout=60).stdout.split()


def _service(found: dict[str, Any]) -> Service:
    """Of what `docker container inspect` says in the form of _FACTS."""
    state, labels = found["State"], found["Labels"] or {}
    published = [
        (int(address["HostPort"]), int(port.split("/")[0]))
        for port, addresses in (found["Ports"] or {}).items()
        for address in addresses or ()
    ]
    return Service(
        service=labels.get("com.docker.compose.service", ""),
        name=found["Name"].removeprefix("/"),
        state=state["Status"],
        health=(state.get("Health") or {}).get("Status", "").replace("none", ""),
        exit_code=state["ExitCode"],
        ports=tuple(sorted({host for host, _ in published})),
        targets=tuple(sorted({target for _, target in published})),
        bound=tuple(sorted(set(published))),
        oneoff=labels.get(_ONEOFF) == "True",
        environment=_environment(labels.get(_FILES)),
        restarts=found["RestartCount"],
        started=state.get("StartedAt", ""),
        out_of_memory=bool(state.get("OOMKilled")),
        command=tuple(found.get("Command") or ()),
        configuration=labels.get("com.docker.compose.config-hash", ""),
        files=tuple(filter(None, labels.get(_FILES, "").split(","))),
    )


def _environment(files: str | None) -> Environment | None:
    """That of a container, by the compose files which Compose writes into its labels."""
    if files is None:
        return None
    return Environment.PROD if "/compose.prod.yaml" in files else Environment.DEV
