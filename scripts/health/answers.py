"""One question to each container, whatever the report wants to know of it."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from scripts import credentials
from scripts.core.checks import once
from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.core.settings import Settings
from scripts.health import volumes
from scripts.health.volumes import Room
from scripts.stack.compose import Stack

Answer = Callable[[], Completed]
# Volumes and where they are mounted, by service; it tells of them in this order.
_VOLUMES: Final = {
    "nginx": {"nginx_cache": "/var/cache/nginx", "nginx_temp": "/var/spool/nginx"},
    "odoo": {"odoo_data": "/var/lib/odoo"},
    "odoo_db": {"odoo_db_data": "/var/lib/postgresql/data"},
    "redis": {"redis_data": "/data"},
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
        found: dict[str, Room] = {}
        for service, places in _VOLUMES.items():
            try:
                lines = self._rooms(service, list(places.values()))
            except OpsError:  # a hung container; a line of its own tells
                lines = []
            found.update(zip(places, map(Room.parse, lines), strict=False))
        return found

    def _rooms(self, service: str, places: Sequence[str]) -> list[str]:
        done: Completed = getattr(self, service)()
        said = as_json(done).get("room")
        lines = [said] if said else _room_lines(done)
        if lines or not any(s.service == service and not s.oneoff for s in self.stack.services()):
            return lines
        # One that is down may be so because its volume is full.
        stat = ["--entrypoint", "stat", service, "-f", "-c", _ROOM + volumes.FORMAT, *places]
        run = ["run", "--rm", "--no-deps", "-T", *stat]
        return _room_lines(self.stack.run(*run, timeout=60, check=False, changes=True))


def as_json(done: Completed) -> Mapping[str, str]:
    """What odoo/health.py said; nothing where that cannot be read."""
    try:
        said: dict[str, str] = json.loads(done.stdout) if done.ok else {}
    except ValueError:
        return {}
    return said


def _room_lines(done: Completed) -> list[str]:
    lines = done.stdout.splitlines()
    return [line.removeprefix(_ROOM) for line in lines if line.startswith(_ROOM)]


def _ask_nginx(stack: Stack) -> Completed:
    places = _VOLUMES["nginx"].values()
    return stack.exec("nginx", "stat", "-f", "-c", _ROOM + volumes.FORMAT, *places, timeout=15)


def _ask_odoo(stack: Stack) -> Completed:
    return stack.exec("odoo", "python3", "/etc/odoo/health.py", user="odoo", timeout=45)


def _ask_postgresql(stack: Stack) -> Completed:
    settings = stack.settings
    # By standard input, where no process list shows it.
    script = (settings.root / "postgres" / "health").read_text()
    known = f"password={shlex.quote(_password(settings))}\n"
    return stack.exec("odoo_db", "sh", "-s", settings.database, stdin=known + script)


def _password(settings: Settings) -> str:
    """What is in the file now; '' where this user may not read it."""
    try:
        return credentials.value_in(settings.secrets_folder / "db_password.txt")
    except (OSError, UnicodeDecodeError):
        return ""


def _ask_redis(stack: Stack) -> Completed:
    return stack.exec("redis", "sh", "/etc/platform/health", timeout=15)
