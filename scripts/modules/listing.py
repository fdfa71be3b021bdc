"""What `inv module.list` and `module.info` show of what the container knows."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scripts.core import known_names
from scripts.core.errors import OpsError, UsageError
from scripts.core.report import Reporter
from scripts.core.table import Table
from scripts.modules import service
from scripts.stack import database_names
from scripts.stack.compose import Stack
from toolbox.contract.changes import Module, ModuleList, Snapshot

_HEADER: Final = ("module", "state", "installed", "on disk", "", "from")
_SNAPSHOTS: Final = ("snapshot", "made", "before", "size", "")
_CORE: Final = "odoo"
_STATES: Final = ("installed", "uninstalled", "to install", "to upgrade", "to remove")


@dataclass(frozen=True, kw_only=True)
class ModuleDetails(Module):
    """A module, and the installed ones that build on it."""

    dependants: tuple[str, ...]


@dataclass(frozen=True)
class Filter:
    """Which modules are wanted; all flags that are set have to hold."""

    state: str = ""
    changed: bool = False
    missing: bool = False
    source: str = ""
    every: bool = False  # Odoo's own that are not installed, too

    def __post_init__(self) -> None:
        """Raises UsageError for a state that there is not."""
        if self.state and self.state not in _STATES:
            raise UsageError(f"there is no state {self.state!r}", f"One of: {', '.join(_STATES)}")

    def __call__(self, module: Module) -> bool:
        """Whether `module` is wanted."""
        wanted = (
            not self.state or module.state == self.state,
            not self.changed or module.changed,
            not self.missing or module.missing,
            self.source in module.source,
            self._every or module.source != _CORE or module.state != "uninstalled",
        )
        return all(wanted)

    @property
    def _every(self) -> bool:
        return self.every or bool(self.state or self.source)


def find(stack: Stack, reporter: Reporter, database: str) -> list[Module]:
    """Every module on the addons path or in the database, by name."""
    service.prepare(stack)
    found = service.ask(stack, reporter, service.LIVE, database, "list", kind=ModuleList)
    known_names.remember(stack.settings, known_names.MODULES, (m.name for m in found.modules))
    return list(found.modules)


def wanted(modules: Sequence[Module], chosen: Filter) -> list[Module]:
    """Those that `chosen` takes."""
    return [module for module in modules if chosen(module)]


def table(modules: Sequence[Module]) -> Table:
    """A row for each."""
    rows = [[m.name, m.state, m.installed, m.on_disk, _remark(m), m.source] for m in modules]
    return Table(_HEADER, rows)


def _remark(module: Module) -> str:
    if module.missing:
        return "missing on disk"
    return "changed" if module.changed else ""


def one(modules: Sequence[Module], name: str) -> ModuleDetails:
    """The module called `name`, with the installed ones that build on it."""
    known = {module.name: module for module in modules}
    if name not in known:
        close = difflib.get_close_matches(name, known, n=3)
        meant = f"Did you mean {' or '.join(close)}?" if close else "See: inv module.list --all"
        raise OpsError(f"there is no module {name!r}", meant)
    above = [m.name for m in modules if name in m.depends and m.state != "uninstalled"]
    return ModuleDetails(**vars(known[name]), dependants=tuple(above))


def details(module: ModuleDetails) -> list[str]:
    """One module for people."""
    shown = {
        "Module": f"{module.name} ({module.title or '?'})",
        "State": f"{module.state} {_remark(module)}".strip(),
        "Installed": module.installed or "never",
        "On disk": module.on_disk or "missing",
        "From": module.source or "nowhere",
        "Path": module.path,
        "Needs": ", ".join([*module.depends, *module.python]),
        "Needed by": ", ".join(module.dependants),
    }
    return [f"{name + ':':<11}{value}" for name, value in shown.items() if value]


def snapshots(stack: Stack, reporter: Reporter, database: str) -> list[Snapshot]:
    """The states of `database` that one can go back to, the oldest first."""
    service.prepare(stack)
    database_names.require(stack, database)
    found = service.ask(stack, reporter, service.LIVE, database, "snapshots", kind=list[Snapshot])
    known_names.remember(stack.settings, known_names.SNAPSHOTS, (s.name for s in found))
    return found


def prune(stack: Stack, reporter: Reporter, database: str, keep: int) -> list[Snapshot]:
    """Forget all but the last `keep` of them; returns those that are gone."""
    if keep < 0:
        raise UsageError(f"--keep {keep} is less than none", "0 forgets all of them.")
    service.prepare(stack)
    database_names.require(stack, database)
    words = ("prune", f"--keep={keep}")
    return service.ask(stack, reporter, service.LIVE, database, *words, kind=list[Snapshot])


def snapshot_table(found: Sequence[Snapshot]) -> Table:
    """A row for each snapshot, sizes in MB."""
    return Table(_SNAPSHOTS, [_snapshot_row(snapshot) for snapshot in found])


def _snapshot_row(snapshot: Snapshot) -> list[str]:
    size = f"{snapshot.bytes / 1e6:.0f} MB"
    remark = "unfinished" if snapshot.state == "open" else ""
    return [snapshot.name, snapshot.made, snapshot.doing, size, remark]
