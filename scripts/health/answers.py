"""One question to each container, whatever the report wants to know of it."""

import json
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from scripts import credentials
from scripts.core.checks import CannotTellError, once
from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.core.settings import Settings
from scripts.health import limits, volumes
from scripts.health.volumes import Room
from scripts.stack.compose import Service, Stack

Answer = Callable[[], Completed]
# Volumes and where they are mounted, by service; it tells of them in this order.
_VOLUMES: Final = {
    "nginx": {"nginx_cache": "/var/cache/nginx", "nginx_temp": "/var/spool/nginx"},
    "odoo": {"odoo_data": "/var/lib/odoo"},
    "odoo_db": {"odoo_db_data": "/var/lib/postgresql/data"},
    "redis": {"redis_data": "/data"},
}
_ROOM: Final = "room "
# Of the machine that the engine runs on, which may be a virtual one. redis/health has them too.
_HOST: Final = "date '+clock %s.%N'; grep -E '^Mem(Total|Available):' /proc/meminfo"
_OOM: Final = (
    "cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2>/dev/null"
    " | grep '^oom_kill '"
)
_STATES: Final = {
    "paused": ("is paused", "docker unpause {name}"),
    "restarting": ("keeps restarting", "inv logs --service {service}"),
}


@dataclass(frozen=True)
class Host:
    """What a container tells of the machine: memory in bytes, and how far its clock is off."""

    memory: int
    available: int
    skew: float  # seconds, at least


@dataclass(frozen=True)
class Answers:
    """What the containers say. Each is asked once, when the first wants to know."""

    stack: Stack
    seconds: float  # for each question
    containers: Callable[[], Sequence[Service]]
    nginx: Answer
    odoo: Answer
    odoo_db: Answer
    redis: Answer
    host: Callable[[], Host]

    @classmethod
    def of(cls, stack: Stack, seconds: float, *, brief: bool = False) -> "Answers":
        """Those of the containers of `stack`; nothing is asked yet.

        Each has `seconds`. `brief` leaves out what takes Odoo's container long.
        """
        inside = str(limits.inside(seconds))
        containers = once(lambda: _containers(stack))
        asked = {
            "nginx": lambda: ["sh", "-c", _of_nginx()],
            "odoo": lambda: [
                *("python3", "/etc/odoo/health.py", inside),
                *(["brief"] if brief else _site(stack, containers())),
            ],
            "odoo_db": lambda: ["sh", "-s", stack.settings.database, inside],
            "redis": lambda: ["sh", "/etc/platform/health", inside],
        }

        def question(service: str) -> Callable[[], "_Timed"]:
            return once(lambda: _ask(stack, containers(), service, asked[service]()))

        every = {service: question(service) for service in asked}

        def done(service: str) -> Answer:
            return lambda: every[service]().done

        return cls(
            stack,
            seconds,
            containers,
            nginx=done("nginx"),
            odoo=done("odoo"),
            odoo_db=done("odoo_db"),
            redis=done("redis"),
            host=lambda: _host([every["nginx"], every["redis"]]),
        )

    def container(self, service: str) -> Service:
        """Its container; raises OpsError where that does not run."""
        return _running(self.containers(), service)

    def need(self, service: str) -> Service:
        """Its container; raises CannotTellError where that does not run: another row tells."""
        try:
            return self.container(service)
        except OpsError as error:
            raise CannotTellError(error.message) from error

    def told(self, service: str, answer: Answer) -> Completed:
        """What it says; raises CannotTellError where it says nothing: another row tells."""
        self.need(service)
        try:
            return answer()
        except OpsError as error:
            raise CannotTellError(error.message) from error

    def memory_kills(self, service: str) -> int:
        """How many processes the kernel has killed in its container; 0 where it does not tell."""
        question: Answer | None = getattr(self, service, None)
        try:
            done = question() if question else None
        except OpsError:  # a line of its own tells
            done = None
        if not done:
            return 0
        words = [line.split() for line in done.stdout.splitlines()]
        found = [line[1] for line in words if line[:1] == ["oom_kill"]]
        return int(found[0] if found else as_json(done).get("memory_kills") or 0)

    def rooms(self) -> dict[str, Room]:
        """How much room there is, by volume, where that can be found out."""
        found: dict[str, Room] = {}
        settings = self.stack.settings
        servers = {"odoo_db": settings.postgres.external, "redis": settings.redis.external}
        elsewhere = [service for service, external in servers.items() if external]
        for service, places in _VOLUMES.items():
            if service in elsewhere:
                continue  # its disk is somebody else's
            try:
                lines = self._rooms(service, list(places.values()))
            except OpsError:  # a hung container; a line of its own tells
                lines = []
            found.update(zip(places, map(Room.parse, lines), strict=False))
        return found

    def _rooms(self, service: str, places: Sequence[str]) -> list[str]:
        there = [s for s in self.containers() if s.service == service and not s.oneoff]
        if any(s.state == "running" for s in there):
            done: Completed = getattr(self, service)()
            said = as_json(done).get("room")
            lines = [str(said)] if said else _room_lines(done)
            if lines:
                return lines
        if not there or there[0].state == "paused":
            return []
        # One that is down may be so because its volume is full.
        stat = ["--entrypoint", "stat", service, "-f", "-c", _ROOM + volumes.FORMAT, *places]
        run = ["run", "--rm", "--no-deps", "-T", *stat]
        return _room_lines(self.stack.run(*run, timeout=60, check=False, changes=True))


@dataclass(frozen=True)
class _Timed:
    """An answer, and between which moments of this machine's clock it was given."""

    done: Completed
    before: float
    after: float


def as_json(done: Completed) -> Mapping[str, Any]:
    """What odoo/health.py said; nothing where that cannot be read."""
    try:
        said: dict[str, Any] = json.loads(done.stdout) if done.ok else {}
    except ValueError:
        return {}
    return said


def _containers(stack: Stack) -> list[Service]:
    try:
        return stack.services()
    except OpsError as error:
        reason = error.message.splitlines()[-1].strip() if error.message else "no answer"
        raise CannotTellError(f"the Docker engine cannot be asked: {reason}") from error


def _running(containers: Sequence[Service], service: str) -> Service:
    own = [s for s in containers if s.service == service and not s.oneoff]
    # One of several will do: a line of its own tells of the others.
    found = next((s for s in own if s.state == "running"), own[0] if own else None)
    if found and found.state == "running":
        return found
    state, hint = _STATES.get(found.state if found else "", ("is not running", "inv up"))
    named = hint.format(service=service, name=found.name if found else "")
    raise OpsError(f"{service} {state}", named)


def _ask(stack: Stack, containers: Sequence[Service], service: str, command: list[str]) -> _Timed:
    container = _running(containers, service).name
    stdin = _script(stack.settings) if service == "odoo_db" else None
    argv = stack.exec_argv(container, *command, user="odoo" if service == "odoo" else "")
    before = time.time()
    try:
        done = stack.runner.run(argv, stdin=stdin, timeout=30, check=False)
    except OpsError as error:
        said = f"the container of {service} cannot be asked: {error.message}"
        raise CannotTellError(said, f"inv logs --service {service}") from error
    return _Timed(done, before, time.time())


def _site(stack: Stack, containers: Sequence[Service]) -> list[str]:
    """The address of the platform; none where no Nginx runs that could be asked for it."""
    runs = any(s.service == "nginx" and s.state == "running" for s in containers)
    return [stack.settings.url] if runs else []


def _of_nginx() -> str:
    places = " ".join(_VOLUMES["nginx"].values())
    return f"stat -f -c '{_ROOM}{volumes.FORMAT}' {places}; {_OOM}; {_HOST}"


def _script(settings: Settings) -> str:
    """What PostgreSQL's container runs, by standard input, where no process list shows it."""
    script = (settings.root / "postgres" / "health").read_text()
    return f"password={shlex.quote(_password(settings))}\n{script}"


def _password(settings: Settings) -> str:
    """What is in the file now; '' where this user may not read it."""
    try:
        return credentials.value_in(settings.secrets_folder / "db_password.txt")
    except (OSError, UnicodeDecodeError):
        return ""


def _room_lines(done: Completed) -> list[str]:
    lines = done.stdout.splitlines()
    return [line.removeprefix(_ROOM) for line in lines if line.startswith(_ROOM)]


def _host(questions: Sequence[Callable[[], _Timed]]) -> Host:
    """By the first container that tells; raises CannotTellError where none does."""
    for question in questions:
        try:
            asked = question()
        except OpsError:  # a line of its own tells
            continue
        words = [line.replace(":", " ").split() for line in asked.done.stdout.splitlines()]
        said = {line[0]: float(line[1]) for line in words if line[:1] and line[0] in _FACTS}
        if said.keys() == _FACTS:
            clock = said["clock"]
            skew = max(asked.before - clock, clock - asked.after, 0.0)
            return Host(int(said["MemTotal"] * 1024), int(said["MemAvailable"] * 1024), skew)
    raise CannotTellError("neither Nginx nor Redis can be asked")


_FACTS: Final = {"clock", "MemTotal", "MemAvailable"}
