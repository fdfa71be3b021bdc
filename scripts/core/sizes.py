"""Workers, limits and memory of production: what holds, where it comes from, what contradicts it.

What `.env` does not say of Odoo, odoo/odoo.conf says, and what that does not say, Odoo itself.
"""

import configparser
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.core import env_example
from scripts.core.sources import Sources
from scripts.core.values import Values

MIB: Final = 1024**2
GIB: Final = 1024**3
# Connections that Odoo must leave: 3 of the superuser, backups, `inv psql`, autovacuum.
RESERVED_CONNECTIONS: Final = 8
ODOO_CONF: Final = "odoo/odoo.conf"
PRODUCTION_FILE: Final = "compose.prod.yaml"

REPLICAS_FILE: Final = "compose.replicas.yaml"
CRON_WORKERS: Final = 2  # of odoo_cron, for its own reports

# Variable, option of odoo.conf, Odoo's own default; memory in bytes.
_ODOO: Final[Mapping[str, tuple[str, int]]] = {
    "ODOO_WORKERS": ("workers", 0),
    "ODOO_MAX_CRON_THREADS": ("max_cron_threads", 2),
    "ODOO_LIMIT_MEMORY_SOFT": ("limit_memory_soft", 2048 * MIB),
    "ODOO_LIMIT_MEMORY_HARD": ("limit_memory_hard", 2560 * MIB),
    "ODOO_DB_MAXCONN": ("db_maxconn", 64),
    "ODOO_DB_MAXCONN_GEVENT": ("db_maxconn_gevent", 64),
}
_COUNTS: Final = {
    "ODOO_WORKERS": (0, 256),
    "ODOO_MAX_CRON_THREADS": (0, 64),
    "ODOO_DB_MAXCONN": (1, 1000),
    "ODOO_DB_MAXCONN_GEVENT": (1, 1000),
    "POSTGRES_MAX_CONNECTIONS": (20, 10000),
}
_POSTGRES: Final = (
    "POSTGRES_SHARED_BUFFERS",
    "POSTGRES_EFFECTIVE_CACHE_SIZE",
    "POSTGRES_WORK_MEM",
    "POSTGRES_MAINTENANCE_WORK_MEM",
)
_CONTAINERS: Final = ("ODOO_MEMORY", "POSTGRES_MEMORY", "REDIS_MEMORY", "POSTGRES_SHM_SIZE")
NAMES: Final = (
    *_ODOO,
    "ODOO_MEMORY",
    *_POSTGRES,
    "POSTGRES_MAX_CONNECTIONS",
    "POSTGRES_SHM_SIZE",
    "POSTGRES_MEMORY",
    "REDIS_MAXMEMORY",
    "REDIS_MEMORY",
)


@dataclass(frozen=True)
class Size:
    """A size as it holds; `value` is a number or bytes, 0 for no limit."""

    name: str
    value: int
    text: str  # as it is written where it comes from
    source: str  # environment, .env, odoo.conf or default

    @property
    def chosen(self) -> bool:
        """Whether `.env` or the environment says it."""
        return self.source in ("environment", ".env")


def is_count(name: str) -> bool:
    """Whether `name` is a number, and no amount of memory."""
    return name in _COUNTS


def check(values: Values) -> None:
    """Have `values` collect the sizes that are none."""
    shown = env_example.variables()
    for name in NAMES:
        if name in shown:
            parse(values, name, shown[name])


def parse(values: Values, name: str, default: str) -> int:
    """The number, or the bytes, of `name`; 0 where it is not set and has no default."""
    if not values.text(name, default):
        return 0
    if name in _COUNTS:
        return values.count(name, default, _COUNTS[name])
    if name in _POSTGRES:
        return values.postgres_memory(name, default)
    if name == "REDIS_MAXMEMORY":
        return values.redis_memory(name, default)
    if name in _CONTAINERS:
        return values.memory(name, default)
    return values.worker_memory(name, default)


def present(root: Path, found: Sources, replicas: int = 0) -> dict[str, Size]:
    """Every size of production as it holds now, in the order of NAMES.

    `replicas`: that of settings, where compose.replicas.yaml is used.
    """
    values, written = found.effective, _odoo_conf(root)
    defaults = {**env_example.variables(), **_defaults(root, PRODUCTION_FILE)}
    apart = _defaults(root, REPLICAS_FILE) if replicas else {}
    sizes = {}
    for name in NAMES:
        option, own = _ODOO.get(name, ("", 0))
        if name in values:
            given = Values({name: values[name]})
            sizes[name] = Size(name, parse(given, name, ""), values[name], found.of(name))
        elif name in apart:
            text = apart[name]
            sizes[name] = Size(name, parse(Values({}), name, text), text, REPLICAS_FILE)
        elif option and (text := written.get(option, "")).isdecimal():
            sizes[name] = Size(name, int(text), text, "odoo.conf")
        elif option == "db_maxconn_gevent":  # Odoo takes that of the others
            base = sizes["ODOO_DB_MAXCONN"]
            sizes[name] = Size(name, base.value, base.text, "default")
        else:
            text = str(own) if option else defaults.get(name, "")
            value = own if option else parse(Values({}), name, text)
            sizes[name] = Size(name, value, text, "default")
    return sizes


def _odoo_conf(root: Path) -> Mapping[str, str]:
    """The options of odoo.conf; none where it cannot be read, of which Odoo itself tells."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read(root / ODOO_CONF, encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return {}
    if not parser.has_section("options"):
        return {}
    return {key: value.strip() for key, value in parser.items("options")}


def _defaults(root: Path, file: str) -> dict[str, str]:
    """Those of a compose file, which are not those that `.env.example` shows."""
    path = root / file
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return dict(re.findall(r"\$\{((?:ODOO|POSTGRES|REDIS)_\w+):-([^}]+)\}", text))


def contradictions(sizes: Mapping[str, Size], replicas: int = 0) -> tuple[list[str], list[str]]:
    """What cannot work, and what may not under load, with so many replicas of Odoo.

    Too many connections are an error only if `.env` asks for them: an odoo.conf that was
    edited by hand has run until now.
    """
    errors, warnings = list(_impossible(sizes)), list[str]()
    names = ("ODOO_WORKERS", "ODOO_MAX_CRON_THREADS", "ODOO_DB_MAXCONN", "ODOO_DB_MAXCONN_GEVENT")
    connections, most = wanted_connections(sizes, replicas), sizes["POSTGRES_MAX_CONNECTIONS"]
    if connections > most.value - RESERVED_CONNECTIONS:
        fewer = "ODOO_REPLICAS or ODOO_WORKERS" if replicas else "ODOO_WORKERS"
        said = (
            f"Odoo may open {connections} connections, and PostgreSQL has {most.value}"
            f" (POSTGRES_MAX_CONNECTIONS), of which {RESERVED_CONNECTIONS} are for backups and"
            f" psql: fewer {fewer}, a smaller ODOO_DB_MAXCONN, or more connections"
        )
        chosen = most.chosen or bool(replicas) or any(sizes[name].chosen for name in names)
        (errors if chosen else warnings).append(said)
    return errors, [*warnings, *_tight(sizes)]


def wanted_connections(sizes: Mapping[str, Size], replicas: int = 0) -> int:
    """How many connections the processes of Odoo may open together, in all its containers."""
    processes = sizes["ODOO_WORKERS"].value * max(1, replicas)
    processes += sizes["ODOO_MAX_CRON_THREADS"].value + (CRON_WORKERS if replicas else 0)
    gevent = sizes["ODOO_DB_MAXCONN_GEVENT"].value if sizes["ODOO_WORKERS"].value else 0
    return processes * sizes["ODOO_DB_MAXCONN"].value + gevent


def _impossible(sizes: Mapping[str, Size]) -> Iterator[str]:
    soft, hard = sizes["ODOO_LIMIT_MEMORY_SOFT"], sizes["ODOO_LIMIT_MEMORY_HARD"]
    if hard.value and soft.value >= hard.value:
        yield (
            f"ODOO_LIMIT_MEMORY_SOFT ({soft.text}, {soft.source}) must be below"
            f" ODOO_LIMIT_MEMORY_HARD ({hard.text}, {hard.source})"
        )
    buffers, memory = sizes["POSTGRES_SHARED_BUFFERS"], sizes["POSTGRES_MEMORY"]
    if memory.value and buffers.value >= memory.value:
        yield (
            f"POSTGRES_SHARED_BUFFERS={buffers.text} leaves PostgreSQL no room in"
            f" POSTGRES_MEMORY={memory.text}; a quarter of it is right"
        )


def _tight(sizes: Mapping[str, Size]) -> Iterator[str]:
    memory, soft = sizes["ODOO_MEMORY"], sizes["ODOO_LIMIT_MEMORY_SOFT"]
    workers = sizes["ODOO_WORKERS"].value
    if memory.value and workers * soft.value > memory.value:
        yield (
            f"{workers} workers of {soft.value / GIB:.1f} GiB (ODOO_WORKERS,"
            f" ODOO_LIMIT_MEMORY_SOFT) are more than ODOO_MEMORY={memory.text}: under load the"
            " kernel would end processes"
        )
    buffers, shm = sizes["POSTGRES_SHARED_BUFFERS"], sizes["POSTGRES_SHM_SIZE"]
    limit = sizes["POSTGRES_MEMORY"]
    if buffers.value < limit.value < buffers.value + shm.value:
        yield (
            f"POSTGRES_SHARED_BUFFERS={buffers.text} and POSTGRES_SHM_SIZE={shm.text} together"
            f" are more than POSTGRES_MEMORY={limit.text}"
        )
