"""Installing, updating and removing modules: kept as a whole, or undone as a whole.

Whoever started a change is told its plan and says `go`; is told when it is done, looks
whether Odoo works, and says `keep`. Until then any failure, and the silence of one who
has died, brings back the snapshot that was made before.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import addons
import catalogue
import checksums
import psycopg2
import run
import snapshots
from common import Failure, note
from dialogue import Dialogue, heed_no_signals, tell
from server import Watch, longest

import postgres

QUIET = ("--stop-after-init", "--no-http", "--workers=0", "--max-cron-threads=0")
_UNTOUCHABLE = {"base", "web"}
_UNDO_SECONDS = 300


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


def change(wish: Wish, dialogue: Dialogue) -> dict[str, Any]:
    """Do what is wished; gives back what was done, raises Failure if it was undone."""
    postgres.doing = "inv module"
    with postgres.exclusive() as still_alone:
        catalogue.refuse_no_odoo(wish.database)
        _refuse_unfinished(wish.database)
        plan = make_plan(wish)
        tell("plan", **asdict(plan), empty=plan.empty)
        if plan.empty:
            if wish.changed:  # what was installed by other means since is known from now on
                remember(wish.database, plan)
            return {"done": False}
        dialogue.expect("go")
        with _undoable(wish, plan.title):
            started = time.monotonic()
            watch = carry_out(wish, plan, dialogue)
            still_alone()
            seconds = round(time.monotonic() - started, 1)
            tell("changed", restart=plan.restart, seconds=seconds, waited_for=watch.blockers)
            dialogue.expect("keep")
            remember(wish.database, plan)
        _tidy(wish)
        return {"done": True, "seconds": seconds, "locked": longest(watch.held)}


def _tidy(wish: Wish) -> None:
    """What was done is kept by now, whether or not older snapshots can be taken away."""
    try:
        snapshots.prune(wish.database, wish.keep)
    except (Failure, psycopg2.Error, OSError) as error:
        note(f"older snapshots stay: {str(error).strip().splitlines()[0]}")


def _refuse_unfinished(database: str) -> None:
    left = snapshots.unfinished(database)
    if left:
        raise Failure(
            f"`{left.doing}` of {left.made} was interrupted, and {database!r} is half-way",
            "inv module.rollback goes back to before it; with --accept what is there is kept.",
        )


@contextmanager
def _undoable(wish: Wish, doing: str) -> Iterator[None]:
    if not wish.snapshot:
        yield
        return
    started = time.monotonic()
    taken = snapshots.take(wish.database, doing, wish.patience)
    tell("snapshot", name=taken.name, seconds=round(time.monotonic() - started, 1))
    with _kept_or_undone(taken):
        yield


@contextmanager
def _kept_or_undone(before: snapshots.Snapshot) -> Iterator[None]:
    """Go back to `before` if the block fails; otherwise it is a way back like any other."""
    try:
        yield
    except BaseException:
        heed_no_signals()
        snapshots.put_back(before)
        tell("undone", name=before.name)
        raise
    snapshots.close(before)


def make_plan(wish: Wish) -> Plan:
    """What `wish` comes to; raises Failure for whatever can be known to fail."""
    entries = catalogue.in_database(wish.database)
    there = catalogue.installed(entries)
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
    above = catalogue.dependants(wish.database, update) if update else []
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
    above = catalogue.dependants(wish.database, wish.uninstall)
    return Plan(uninstall=wish.uninstall, besides=tuple(above))


def carry_out(wish: Wish, plan: Plan, dialogue: Dialogue | None) -> Watch:
    """Have Odoo do it, and read back whether it did; raises Failure if not."""
    if plan.uninstall:
        code = (
            f"env['ir.module.module'].search([('name', 'in', {list(plan.uninstall)!r})])"
            ".button_immediate_uninstall()\n"
        )
        arguments = ["shell", f"--database={wish.database}", "--no-http"]
    else:
        code = ""
        wishes = (("--init", plan.install), ("--update", plan.update))
        names = [f"{flag}={','.join(modules)}" for flag, modules in wishes if modules]
        arguments = [f"--database={wish.database}", *names, *QUIET, "--without-demo=all"]
    ended, watch = run.odoo(
        wish.database, *arguments, dialogue=dialogue, lock_seconds=wish.patience, stdin=code
    )
    if ended.code:
        raise run.fail(f"Odoo could not {plan.title}", ended)
    _read_back(wish.database, plan, ended)
    return watch


def _read_back(database: str, plan: Plan, ended: run.Ended) -> None:
    """Raises Failure unless the database says of every module what was wished."""
    entries, wrong = catalogue.in_database(database), []
    for name in (*plan.install, *plan.update):
        entry, disk = entries.get(name), addons.on_disk()[name]
        if not entry or entry.state != "installed":
            wrong.append(f"{name} is {entry.state if entry else 'unknown'}")
        elif entry.version != disk.version:
            wrong.append(f"{name} has version {entry.version} and not {disk.version}")
    gone = (*plan.uninstall, *(plan.besides if plan.uninstall else ()))
    wrong += [f"{n} is {entries[n].state}" for n in gone if entries[n].state != "uninstalled"]
    # What is not on disk can be nothing else; the plan has said so.
    stuck = {n: e.state for n, e in entries.items() if e.state.startswith("to ")}
    wrong += [f"{n} is still {state!r}" for n, state in stuck.items() if n not in plan.missing]
    if wrong:
        raise run.fail(f"Odoo ended well, but {'; '.join(wrong[:5])}", ended)


def remember(database: str, plan: Plan) -> None:
    """Keep what the modules are now: those of `plan`, and those nobody has looked at yet.

    Not those of another version than the installed one: they still want their update.
    """
    entries = catalogue.in_database(database)
    now, known = checksums.look(database, catalogue.installed(entries))
    waiting = checksums.changed(entries, known, now)
    done = {*plan.install, *plan.update, *plan.besides}
    gone = {n: s for n, s in known.items() if n not in now}  # a server may still have their code
    new = {n: s for n, s in now.items() if n in done or (n not in known and n not in waiting)}
    sums = {**gone, **{n: known[n] for n in now if n in known}, **new}
    if sums != known:
        checksums.remember(database, sums)


def roll_back(database: str, name: str, dialogue: Dialogue) -> dict[str, Any]:
    """Go back to a snapshot; what is there now becomes one itself."""
    postgres.doing = "inv module.rollback"
    with postgres.exclusive():
        chosen, left = _to_go_back_to(database, name)
        tell("plan", **asdict(chosen), empty=False, restart=True)
        heard = dialogue.hear()
        if heard == "accept":
            if not left:
                raise Failure("no change was interrupted, so there is nothing to accept")
            snapshots.close(chosen)
            return {"name": chosen.name, "accepted": True}
        dialogue.require(heard, "go")
        if not snapshots.is_there(database):  # so there is nothing to go back to in turn
            snapshots.give_name(chosen)
            tell("changed", restart=True)
            dialogue.expect("keep")
            return {"name": chosen.name, "present": ""}
        present = snapshots.exchange(chosen)
        tell("snapshot", name=present.name)
        with _kept_or_undone(present):
            tell("changed", restart=True)
            dialogue.expect("keep")
        return {"name": chosen.name, "present": present.name}


def _to_go_back_to(database: str, name: str) -> tuple[snapshots.Snapshot, bool]:
    """The snapshot that is meant, and whether it is that of an interrupted change."""
    left = snapshots.unfinished(database)
    if not left:
        return snapshots.find(database, name), False
    if name and snapshots.find(database, name) != left:
        raise Failure(
            f"`{left.doing}` of {left.made} was interrupted: first that is to be decided",
            "inv module.rollback goes back to before it; with --accept what is there is kept.",
        )
    return left, True


def recover(database: str) -> dict[str, Any]:
    """Undo what a container that died has begun.

    One that only cannot be heard any more is at that itself: waits until it has ended.
    """
    postgres.doing = "inv module"
    with postgres.exclusive(_UNDO_SECONDS):
        left = snapshots.unfinished(database)
        if left:
            heed_no_signals()
            note(f"putting {database!r} back to what it was before `{left.doing}`")
            snapshots.put_back(left)
        return {"undone": left.name if left else ""}
