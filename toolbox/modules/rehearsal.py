"""A change of modules on a neutralised copy, which is thrown away."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from toolbox.contract import names
from toolbox.contract.changes import Answer, ChangeRequest, ChangeResult, Step
from toolbox.core import database_copy, postgres
from toolbox.core.errors import Failure
from toolbox.modules import change, installed, odoo_process, snapshots
from toolbox.modules.lock_watcher import longest
from toolbox.modules.protocol import Host, emit_event


def rehearse(request: ChangeRequest, host: Host) -> ChangeResult:
    """Make the change on a copy: how long it takes, and what it locks."""
    with postgres.advisory_lock("inv module.rehearse"):
        installed.require_odoo_database(request.database)
        plan = change.plan_for(request)
        emit_event(Step.PLAN, plan)
        if plan.empty:
            return ChangeResult(done=False)
        host.expect(Answer.GO)
        with _copy(request.database, request.patience) as name:
            _neutralise(name, host)
            started = time.monotonic()
            try:
                watch = change.carry_out(_on(request, name), plan, host)
            except Failure as error:
                failed = Failure(error.message, "That was a rehearsal: nothing was changed.")
                raise failed from error
            seconds = round(time.monotonic() - started, 1)
        return ChangeResult(done=True, seconds=seconds, locked=longest(watch.held))


def _on(request: ChangeRequest, database: str) -> ChangeRequest:
    return ChangeRequest(database=database, patience=request.patience)


@contextmanager
def _copy(database: str, patience: int) -> Iterator[str]:
    name = database + names.REHEARSAL
    snapshots.drop(name)
    snapshots.require_space(database)
    try:
        database_copy.copy(database, name, patience, snapshots.BUSY)
        snapshots.link(database, name)
        yield name
    finally:
        snapshots.drop(name)


def _neutralise(name: str, host: Host) -> None:
    """Before any server of Odoo sees the copy, by every module's own SQL."""
    ended, _ = odoo_process.run(name, "neutralize", f"--database={name}", host=host)
    if ended.code:
        raise odoo_process.failure("Odoo could not neutralise the copy", ended)
