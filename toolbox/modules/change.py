"""Installing, updating and removing modules: kept as a whole, or undone as a whole.

Whoever started a change is told its plan and says `go`; is told when it is done, looks
whether Odoo works, and says `keep`. Until then any failure, and the silence of one who
has died, brings back the snapshot that was made before.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import psycopg2

from toolbox.core import postgres
from toolbox.core.errors import Failure
from toolbox.core.progress import note
from toolbox.modules import addons, checksums, installed, odoo_process, snapshots
from toolbox.modules.lock_watcher import Watch, longest
from toolbox.modules.plan import Plan, Wish, make_plan
from toolbox.modules.protocol import Dialogue, heed_no_signals, tell

QUIET = ("--stop-after-init", "--no-http", "--workers=0", "--max-cron-threads=0")
_UNDO_SECONDS = 300


def change(wish: Wish, dialogue: Dialogue) -> dict[str, Any]:
    """Do what is wished; gives back what was done, raises Failure if it was undone."""
    postgres.doing = "inv module"
    with postgres.exclusive() as still_alone:
        installed.refuse_no_odoo(wish.database)
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
    ended, watch = odoo_process.odoo(
        wish.database, *arguments, dialogue=dialogue, lock_seconds=wish.patience, stdin=code
    )
    if ended.code:
        raise odoo_process.fail(f"Odoo could not {plan.title}", ended)
    _read_back(wish.database, plan, ended)
    return watch


def _read_back(database: str, plan: Plan, ended: odoo_process.Ended) -> None:
    """Raises Failure unless the database says of every module what was wished."""
    entries, wrong = installed.in_database(database), []
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
        raise odoo_process.fail(f"Odoo ended well, but {'; '.join(wrong[:5])}", ended)


def remember(database: str, plan: Plan) -> None:
    """Keep what the modules are now: those of `plan`, and those nobody has looked at yet.

    Not those of another version than the installed one: they still want their update.
    """
    entries = installed.in_database(database)
    now, known = checksums.look(database, installed.installed(entries))
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
