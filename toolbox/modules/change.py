"""Installing, updating and removing modules: kept as a whole, or undone as a whole.

The host is sent the plan and answers `go`; it is told when the change is made, checks
that Odoo works, and answers `keep`. Until then any failure, and the end of the host's
process, brings back the snapshot that was made before.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2

from toolbox.contract.changes import (
    Answer,
    Changed,
    ChangePlan,
    ChangeRequest,
    ChangeResult,
    RecoverResult,
    RollbackResult,
    Snapshot,
    SnapshotTaken,
    Step,
)
from toolbox.core import postgres
from toolbox.core.errors import Failure
from toolbox.core.progress import note
from toolbox.modules import addons, checksums, installed, odoo_process, snapshots, state
from toolbox.modules.lock_watcher import Watch, longest
from toolbox.modules.plan import code_to_load, make_plan
from toolbox.modules.protocol import Host, emit_event, ignore_signals, require_answer

QUIET = ("--stop-after-init", "--no-http", "--workers=0", "--max-cron-threads=0")
_UNDO_SECONDS = 300


def change(request: ChangeRequest, host: Host) -> ChangeResult:
    """Change modules as requested; raises Failure if the change was undone."""
    with postgres.advisory_lock("inv module") as require_lock:
        installed.require_odoo_database(request.database)
        _require_finished(request.database)
        plan = plan_for(request)
        emit_event(Step.PLAN, plan)
        if plan.empty:
            if request.changed:  # what was installed by other means since is recorded now
                record(request.database, plan)
            return ChangeResult(done=False)
        host.expect(Answer.GO)
        with _undoable(request, plan.title):
            started = time.monotonic()
            watch = carry_out(request, plan, host)
            require_lock()
            seconds = round(time.monotonic() - started, 1)
            changed = Changed(restart=plan.restart, seconds=seconds, waited_for=watch.blockers)
            emit_event(Step.CHANGED, changed)
            host.expect(Answer.KEEP)
            record(request.database, plan)
        _prune_snapshots(request)
        return ChangeResult(done=True, seconds=seconds, locked=longest(watch.held))


def plan_for(request: ChangeRequest) -> ChangePlan:
    """The plan for `request`; raises Failure for everything that is known to fail."""
    found = state.read(request.database)
    plan = make_plan(request, found)
    addons.require_external(found.disk[name] for name in code_to_load(plan, found))
    return plan


def _prune_snapshots(request: ChangeRequest) -> None:
    """The change is kept by now, even if older snapshots cannot be dropped."""
    try:
        snapshots.prune(request.database, request.keep)
    except (Failure, psycopg2.Error, OSError) as error:
        note(f"older snapshots stay: {str(error).strip().splitlines()[0]}")


def _require_finished(database: str) -> None:
    left = snapshots.unfinished(database)
    if left:
        raise Failure(
            f"`{left.doing}` of {left.made} was interrupted, and {database!r} is half-way",
            "inv module.rollback goes back to before it; with --accept what is there is kept.",
        )


@contextmanager
def _undoable(request: ChangeRequest, doing: str) -> Iterator[None]:
    if not request.snapshot:
        yield
        return
    started = time.monotonic()
    taken = snapshots.take(request.database, doing, request.patience)
    seconds = round(time.monotonic() - started, 1)
    emit_event(Step.SNAPSHOT, SnapshotTaken(name=taken.name, seconds=seconds))
    with _kept_or_undone(taken):
        yield


@contextmanager
def _kept_or_undone(before: Snapshot) -> Iterator[None]:
    """Put `before` back if the block fails; otherwise close it like any other snapshot."""
    try:
        yield
    except BaseException:
        ignore_signals()
        snapshots.put_back(before)
        emit_event(Step.UNDONE, SnapshotTaken(name=before.name))
        raise
    snapshots.close(before)


def carry_out(request: ChangeRequest, plan: ChangePlan, host: Host) -> Watch:
    """Run Odoo, then read the result from the database; raises Failure if it is not as planned."""
    if plan.uninstall:
        code = (
            f"env['ir.module.module'].search([('name', 'in', {list(plan.uninstall)!r})])"
            ".button_immediate_uninstall()\n"
        )
        arguments = ["shell", f"--database={request.database}", "--no-http"]
    else:
        code = ""
        wishes = (("--init", plan.install), ("--update", plan.update))
        names = [f"{flag}={','.join(modules)}" for flag, modules in wishes if modules]
        arguments = [f"--database={request.database}", *names, *QUIET, "--without-demo=all"]
    ended, watch = odoo_process.run(
        request.database, *arguments, host=host, lock_seconds=request.patience, stdin=code
    )
    if ended.code:
        raise odoo_process.failure(f"Odoo could not {plan.title}", ended)
    _read_back(request.database, plan, ended)
    return watch


def _read_back(database: str, plan: ChangePlan, ended: odoo_process.Outcome) -> None:
    """Raises Failure unless the database says of every module what was wished."""
    entries, wrong = installed.entries(database), []
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
        raise odoo_process.failure(f"Odoo ended well, but {'; '.join(wrong[:5])}", ended)


def record(database: str, plan: ChangePlan) -> None:
    """Record what the modules are now: those of `plan`, and those of which nothing is recorded.

    Not those of another version than the installed one: they still need their update.
    """
    found = state.read(database)
    known = found.recorded
    now = {n: found.current[n] for n in found.installed if n in found.current}
    done = {*plan.install, *plan.update, *plan.besides}
    gone = {n: s for n, s in known.items() if n not in now}  # a server may still have their code
    waiting = found.changed
    new = {n: s for n, s in now.items() if n in done or (n not in known and n not in waiting)}
    sums = {**gone, **{n: known[n] for n in now if n in known}, **new}
    if sums != known:
        checksums.record(database, sums)


def roll_back(database: str, name: str, host: Host) -> RollbackResult:
    """Go back to a snapshot; what is there now becomes one itself."""
    with postgres.advisory_lock("inv module.rollback"):
        chosen, left = _to_go_back_to(database, name)
        emit_event(Step.PLAN, chosen)
        answer = host.read_line()
        if answer == Answer.ACCEPT:
            if not left:
                raise Failure("no change was interrupted, so there is nothing to accept")
            snapshots.close(chosen)
            return RollbackResult(name=chosen.name, accepted=True)
        require_answer(answer, Answer.GO)
        if not snapshots.database_exists(database):  # so there is nothing to go back to in turn
            snapshots.put_back_missing(chosen)
            emit_event(Step.CHANGED, Changed(restart=True))
            host.expect(Answer.KEEP)
            return RollbackResult(name=chosen.name)
        present = snapshots.exchange(chosen)
        emit_event(Step.SNAPSHOT, SnapshotTaken(name=present.name))
        with _kept_or_undone(present):
            emit_event(Step.CHANGED, Changed(restart=True))
            host.expect(Answer.KEEP)
        return RollbackResult(name=chosen.name, present=present.name)


def _to_go_back_to(database: str, name: str) -> tuple[Snapshot, bool]:
    """The snapshot that is meant, and whether it is that of an interrupted change."""
    left = snapshots.unfinished(database)
    if not left:
        return snapshots.find(database, name), False
    if name and snapshots.find(database, name) != left:
        raise Failure(
            f"`{left.doing}` of {left.made} was interrupted and has to be decided first",
            "inv module.rollback goes back to before it; with --accept what is there is kept.",
        )
    return left, True


def recover(database: str) -> RecoverResult:
    """Undo what a container that died has begun.

    One that is still alive, and only lost its connection to the host, undoes it itself: this
    waits until it has.
    """
    with postgres.advisory_lock("inv module", _UNDO_SECONDS):
        left = snapshots.unfinished(database)
        if left:
            ignore_signals()
            note(f"putting {database!r} back to what it was before `{left.doing}`")
            snapshots.put_back(left)
        return RecoverResult(undone=left.name if left else "")
