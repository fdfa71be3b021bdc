"""One question to each container, whatever the report wants to know of it."""

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from scripts.core.checks import once
from scripts.core.errors import OpsError
from scripts.core.process import Completed
from scripts.core.settings import Settings
from scripts.health import volumes
from scripts.health.volumes import Room
from scripts.stack.compose import Stack

Answer = Callable[[], Completed]
# Volume and where it is mounted, by service.
_VOLUMES: Final = {
    "nginx": ("nginx_cache", "/var/cache/nginx"),
    "odoo": ("odoo_data", "/var/lib/odoo"),
    "odoo_db": ("odoo_db_data", "/var/lib/postgresql/data"),
    "redis": ("redis_data", "/data"),
}
_ROOM: Final = "room "


@dataclass(frozen=True)
class Answers:
    """What the containers say. Each is asked once, when the first wants to know."""

    stack: Stack
    nginx: Answer
    odoo: Answer
    odoo_db: Answer
    redis: Answer

    @classmethod
    def of(cls, stack: Stack) -> "Answers":
        """Those of the containers of `stack`; nothing is asked yet."""
        return cls(
            stack,
            once(lambda: _ask_nginx(stack)),
            once(lambda: _ask_odoo(stack)),
            once(lambda: _ask_postgresql(stack)),
            once(lambda: _ask_redis(stack)),
        )

    def rooms(self) -> dict[str, Room]:
        """How much room there is, by volume, where that can be found out."""
        found = {}
        for service, (volume, place) in _VOLUMES.items():
            try:
                line = self._room(service, place)
            except OpsError:  # a hung container; a line of its own tells
                line = ""
            if line:
                found[volume] = Room.parse(line)
        return found

    def _room(self, service: str, place: str) -> str:
        done: Completed = getattr(self, service)()
        line = as_json(done).get("room") or _first_room(done)
        if line or not any(s.service == service and not s.oneoff for s in self.stack.services()):
            return line
        # One that is down may be so because its volume is full.
        stat = ["--entrypoint", "stat", service, "-f", "-c", _ROOM + volumes.FORMAT, place]
        run = ["run", "--rm", "--no-deps", "-T", *stat]
        return _first_room(self.stack.run(*run, timeout=60, check=False, changes=True))


def as_json(done: Completed) -> Mapping[str, str]:
    """What odoo/health.py said; nothing where that cannot be read."""
    try:
        said: dict[str, str] = json.loads(done.stdout) if done.ok else {}
    except ValueError:
        return {}
    return said


def _first_room(done: Completed) -> str:
    rooms = [line for line in done.stdout.splitlines() if line.startswith(_ROOM)]
    return rooms[0].removeprefix(_ROOM) if rooms else ""


def _ask_nginx(stack: Stack) -> Completed:
    _, place = _VOLUMES["nginx"]
    return stack.exec("nginx", "stat", "-f", "-c", _ROOM + volumes.FORMAT, place, timeout=15)


def _ask_odoo(stack: Stack) -> Completed:
    question = ["--user", "odoo", "odoo", "python3", "/etc/odoo/health.py"]
    return stack.run("exec", "-T", *question, timeout=45, check=False)


def _ask_postgresql(stack: Stack) -> Completed:
    settings = stack.settings
    # By standard input, where no process list shows it.
    script = (settings.root / "postgres" / "health").read_text()
    known = f"password={shlex.quote(_password(settings))}\n"
    question = ["odoo_db", "sh", "-s", settings.database]
    return stack.run("exec", "-T", *question, stdin=known + script, timeout=30, check=False)


def _password(settings: Settings) -> str:
    """What is in the file now; '' where this user may not read it."""
    try:
        return (settings.secrets_folder / "db_password.txt").read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _ask_redis(stack: Stack) -> Completed:
    return stack.exec("redis", "sh", "/etc/platform/health", timeout=15)
