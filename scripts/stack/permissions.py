"""Files of the project that a container cannot read, seen by their modes on the host.

Servers are users of their own in their containers, who are nobody here: what counts is what
others may do. What root reads there (odoo.conf, certificates, secrets) may be its owner's only.
"""

import os
import shlex
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from scripts.core.checks import Finding, Status

ADDONS: Final = "odoo/addons"
REQUIRED: Final = (
    "platform_files",
    "platform_http",
    "platform_mail",
    "session_redis",
)  # as in odoo/bin/platform-addons
# With all that is below, but of `odoo` the folder itself: see above.
READ: Final = (
    "toolbox",
    "odoo",
    "odoo/health.py",
    "odoo/health_attachment.py",
    "odoo/json_log.py",
    "odoo/odoo_user.py",
    "odoo/odoo_versions.py",
    ADDONS,
    "postgres/initdb.d",
    "redis",
)
MONITORING: Final = ("monitoring",)
SUPABASE: Final = ("supabase/postgres/initdb.d",)
# Run by the entrypoint of Nginx's image, where root may execute no more than others.
PROGRAMS: Final = ("nginx/gate-at-start",)
PRODUCTION_PROGRAMS: Final = (*PROGRAMS, "nginx/trusted-proxies")
_ALONE: Final = ("odoo",)
_SKIPPED: Final = {"__pycache__", "node_modules"}
_SHOWN: Final = 3


def finding(root: Path, names: Sequence[str] = READ, programs: Sequence[str] = ()) -> Finding:
    """FAILED if something will not work for it, WARNING if Odoo will start without some modules."""
    if not sys.platform.startswith("linux"):
        return Finding(Status.OK)  # a virtual machine maps owners and modes in its own way
    closed = {name: list(_closed(root / name, alone=name in _ALONE)) for name in names}
    closed = {name: paths for name, paths in closed.items() if paths}
    stuck = [name for name in programs if not _may(root / name, stat.S_IROTH | stat.S_IXOTH)]
    if not closed and not stuck:
        return Finding(Status.OK)
    found = [path.relative_to(root).as_posix() for paths in closed.values() for path in paths]
    fatal = stuck or closed.keys() - {ADDONS} or any(_is_required(name) for name in found)
    faults = {"read": found, "execute": stuck}
    details = [f"containers cannot {verb} {_some(them)}" for verb, them in faults.items() if them]
    status = Status.FAILED if fatal else Status.WARNING
    return Finding(status, "; ".join(details), f"Run: {_repair(list(closed), stuck)}")


def _repair(closed: Sequence[str], stuck: Sequence[str]) -> str:
    """One line for a shell in the project's folder; never more than what has to be read."""
    alone = [name for name in closed if name in _ALONE]
    deep = [name for name in closed if name not in _ALONE]
    commands = [
        ["chmod", "o+rX", *alone] if alone else [],
        ["chmod", "-R", "o+rX", *deep] if deep else [],
        ["chmod", "a+rx", *stuck] if stuck else [],
    ]
    return " && ".join(shlex.join(command) for command in commands if command)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _is_required(name: str) -> bool:
    return name == ADDONS or name.removeprefix(f"{ADDONS}/").split("/")[0] in REQUIRED


def _may(path: Path, bits: int) -> bool:
    return not path.exists() or path.stat().st_mode & bits == bits


def _closed(path: Path, *, alone: bool = False) -> Iterator[Path]:
    """What others may not read of `path`: itself, or what is below that can be entered."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    wanted = stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(mode) else 0)
    if mode & wanted != wanted:
        yield path
    elif stat.S_ISDIR(mode) and not alone:
        for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
            hidden = entry.name.startswith(".") or entry.name in _SKIPPED
            if not hidden and not entry.is_symlink():
                yield from _closed(Path(entry.path))
