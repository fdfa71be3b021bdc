"""Sizes of production for a machine of so many CPUs and so much memory.

Workers: "(#CPU * 2) + 1" is the most, cron workers included, and a worker takes about 150 MB, a
heavy one 1 GB (Odoo documentation, Deploying Odoo, "Worker number calculation" and "Memory size
calculation": https://www.odoo.com/documentation/18.0/administration/on_premise/deploy.html).
PostgreSQL: shared_buffers is a quarter of its memory, effective_cache_size what it and the
system's cache hold together, here three quarters; work_mem is taken by each sort of each
connection (PostgreSQL documentation, 19.4 Resource Consumption and 19.7 Query Planning:
https://www.postgresql.org/docs/16/runtime-config-resource.html).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from scripts.core.sizes import CRON_WORKERS, GIB, MIB, RESERVED_CONNECTIONS, Size, is_count

_LARGE_MACHINE: Final = 4 * GIB
_WORKER: Final = GIB  # what a heavy one takes
_MOST_WORKER: Final = 2 * GIB  # Odoo's own default
_MOST_WORKERS: Final = 32
_LEAST: Final = 256 * MIB  # of a limit of a worker
_STEP: Final = 64 * MIB
_UNITS: Final = ((GIB, "G"), (MIB, "M"))


@dataclass(frozen=True)
class Recommendation:
    """A size of this machine beside the one that holds; texts as they are in `.env`."""

    variable: str
    recommended: str
    present: str
    source: str  # of the present value: .env, environment, odoo.conf or default
    differs: bool


def for_machine(cpus: int, memory: int, replicas: int = 0) -> dict[str, int]:
    """Every size, in bytes or as a number, for an engine with so many bytes of memory.

    With `replicas` the workers of the machine are shared among so many containers: a size of
    Odoo is that of each.
    """
    system = max(512 * MIB, memory // 10)  # the kernel, Nginx, the engine itself, a backup
    redis = 512 * MIB if memory >= _LARGE_MACHINE else 128 * MIB
    left = max(768 * MIB, memory - system - redis)
    database = _down(left // 4)
    odoo = _down(left - database)
    cron = 1 if cpus <= 2 else 2
    by_memory = odoo // _WORKER - 1  # one part is for cron and websockets
    workers = max(2, min(2 * cpus + 1 - cron, by_memory, _MOST_WORKERS))
    maxconn, gevent = 16, 32
    if replicas:
        workers = max(1, workers // replicas)
        soft = _soft(odoo // (workers * replicas + CRON_WORKERS + 1))
        hard = _down(soft * 5 // 4)
        odoo = max(_down(odoo // (replicas + 1)), workers * hard)  # one part for the other two
        maxconn = 8  # as in compose.replicas.yaml
        processes = workers * replicas + CRON_WORKERS + cron
    else:
        soft = _soft(odoo // (workers + 1))
        hard = _down(soft * 5 // 4)
        odoo = min(odoo, (workers + cron + 1) * hard)  # the rest serves as PostgreSQL's cache
        processes = workers + cron
    connections = processes * maxconn + gevent + RESERVED_CONNECTIONS
    buffers = max(32 * MIB, _down(database // 4, 32 * MIB))
    most = -(-connections // 50) * 50 if connections > 100 else 100
    return {
        "ODOO_WORKERS": workers,
        "ODOO_MAX_CRON_THREADS": cron,
        "ODOO_LIMIT_MEMORY_SOFT": soft,
        "ODOO_LIMIT_MEMORY_HARD": hard,
        "ODOO_DB_MAXCONN": maxconn,
        "ODOO_DB_MAXCONN_GEVENT": gevent,
        "ODOO_MEMORY": odoo,
        "POSTGRES_SHARED_BUFFERS": buffers,
        "POSTGRES_EFFECTIVE_CACHE_SIZE": _down(database * 3 // 4, 32 * MIB),
        "POSTGRES_WORK_MEM": min(64, max(4, (database - buffers) // (most * 3) // MIB)) * MIB,
        "POSTGRES_MAINTENANCE_WORK_MEM": max(64 * MIB, min(GIB, _down(database // 16))),
        "POSTGRES_MAX_CONNECTIONS": most,
        "POSTGRES_SHM_SIZE": max(64 * MIB, min(GIB, _down(database // 4))),
        "POSTGRES_MEMORY": database,
        "REDIS_MAXMEMORY": redis // 2,
        "REDIS_MEMORY": redis,
    }


def _soft(size: int) -> int:
    """A limit of a worker: `size`, within what makes sense."""
    return max(_LEAST, min(_MOST_WORKER, _down(size)))


def _down(size: int, step: int = _STEP) -> int:
    return size // step * step


def table(
    present: Mapping[str, Size], cpus: int, memory: int, replicas: int = 0
) -> list[Recommendation]:
    """The recommended sizes beside the present ones."""
    wanted = for_machine(cpus, memory, replicas)
    return [
        Recommendation(
            name, written(name, wanted[name]), size.text, size.source, size.value != wanted[name]
        )
        for name, size in present.items()
    ]


def written(name: str, value: int) -> str:
    """`value` as the variable `name` takes it."""
    if is_count(name):
        return str(value)
    factor, letter = _UNITS[0] if value % GIB == 0 else _UNITS[1]
    if name == "REDIS_MAXMEMORY":
        return f"{value // factor}{letter.lower()}b"
    if name.startswith("POSTGRES_") and name not in ("POSTGRES_MEMORY", "POSTGRES_SHM_SIZE"):
        return f"{value // factor}{letter}B"
    return f"{value // factor}{letter}"
