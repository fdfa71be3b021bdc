"""Modules in odoo/addons that Odoo cannot read in its container, seen by their modes on the host.

There Odoo is a user of its own, who is nobody here: what counts is what others may do.
"""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from scripts.core.checks import Finding, Status

REQUIRED: Final = (
    "platform_files",
    "platform_http",
    "session_redis",
)  # as in odoo/bin/platform-addons
_SKIPPED: Final = {"__pycache__", "node_modules"}
_SHOWN: Final = 3


def finding(folder: Path) -> Finding:
    """FAILED if Odoo will not start for it, WARNING if it will start without some modules."""
    if not sys.platform.startswith("linux") or not folder.is_dir():
        return Finding(Status.OK)  # a virtual machine maps owners and modes in its own way
    closed = list(_closed(folder))
    if not closed:
        return Finding(Status.OK)
    names = [str(path.relative_to(folder.parents[1])) for path in closed]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    detail = f"Odoo cannot read {', '.join(names[:_SHOWN])}{more}"
    fatal = any(path == folder or path.relative_to(folder).parts[0] in REQUIRED for path in closed)
    return Finding(
        Status.FAILED if fatal else Status.WARNING, detail, "Run: chmod -R a+rX odoo/addons"
    )


def _closed(folder: Path) -> Iterator[Path]:
    """What others may not read of `folder`: itself, or what is below that can be entered."""
    mode = folder.stat().st_mode
    if not mode & stat.S_IROTH or not mode & stat.S_IXOTH:
        yield folder
        return
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith(".") or entry.name in _SKIPPED or entry.is_symlink():
            continue
        if entry.is_dir():
            yield from _closed(Path(entry.path))
        elif not entry.stat().st_mode & stat.S_IROTH:
            yield Path(entry.path)
