"""What a change of modules comes to."""

from dataclasses import dataclass, replace

from toolbox.core.errors import Failure
from toolbox.modules import addons, checksums, installed

_UNTOUCHABLE = {"base", "web"}


@dataclass(frozen=True)
class Wish:
    """What is to be done, and how carefully."""

    database: str
    install: tuple[str, ...] = ()
    update: tuple[str, ...] = ()
    uninstall: tuple[str, ...] = ()
    changed: bool = False  # update whatever is not on disk what it was
    snapshot: bool = True
    patience: int = 60  # seconds to wait for somebody's lock
    keep: int = 3  # snapshots


@dataclass(frozen=True)
class Plan:
    """What comes of a wish, by names of modules."""

    install: tuple[str, ...] = ()
    update: tuple[str, ...] = ()
    uninstall: tuple[str, ...] = ()
    besides: tuple[str, ...] = ()  # brought along, updated as well, or removed as well
    missing: tuple[str, ...] = ()  # installed, and not on disk
    restart: bool = False  # a server has older Python code of these loaded

    @property
    def empty(self) -> bool:
        return not (self.install or self.update or self.uninstall)

    @property
    def title(self) -> str:
        parts = (("install", self.install), ("update", self.update), ("uninstall", self.uninstall))
        return "; ".join(f"{verb} {','.join(names)}" for verb, names in parts if names)


def make_plan(wish: Wish) -> Plan:
    """What `wish` comes to; raises Failure for whatever can be known to fail."""
    entries = installed.in_database(wish.database)
    there = installed.installed(entries)
    missing = tuple(name for name in there if name not in addons.on_disk())
    if wish.uninstall:
        return replace(_removal(wish, there), missing=missing)
    install = [a.name for a in addons.look_up(wish.install) if a.name not in there]
    besides = [n for n in addons.needed(install, there) if n not in install]
    now, known = checksums.look(wish.database, there)
    update = [addon.name for addon in addons.look_up(wish.update)]
    if absent := [name for name in update if name not in there]:
        raise Failure(
            f"not installed, so nothing to update: {', '.join(absent)}",
            f"inv module.install {','.join(absent)}",
        )
    if wish.changed:
        update += [n for n in checksums.changed(entries, known, now) if n not in update]
    above = installed.dependants(wish.database, update) if update else []
    addons.needed([*update, *above], [n for n in there if n not in update])
    touched = [*update, *above]
    restart = any(n in now and (n not in known or known[n].code != now[n].code) for n in touched)
    return Plan(
        tuple(install), tuple(update), (), (*besides, *above), missing,
        restart or _loaded_before(install, known, wish.database),
    )  # fmt: skip


def _loaded_before(names: list[str], known: dict[str, checksums.Checksum], database: str) -> bool:
    """Whether a server may have other code of modules loaded, from before they were removed."""
    now = checksums.checksums(database, [name for name in names if name in known])
    return any(known[name].code != now[name].code for name in now)


def _removal(wish: Wish, there: list[str]) -> Plan:
    if kept := sorted(_UNTOUCHABLE & set(wish.uninstall)):
        raise Failure(f"Odoo does not work without {', '.join(kept)}")
    if absent := [name for name in wish.uninstall if name not in there]:
        raise Failure(f"not installed: {', '.join(absent)}", "See: inv module.list")
    above = installed.dependants(wish.database, wish.uninstall)
    return Plan(uninstall=wish.uninstall, besides=tuple(above))
