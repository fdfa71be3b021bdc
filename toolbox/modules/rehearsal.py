"""What is tried on a copy, or on nothing, before anybody's books are touched."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from toolbox.core import postgres
from toolbox.core.errors import Failure
from toolbox.modules import (
    change,
    database_copy,
    installed,
    lock_watcher,
    odoo_process,
    snapshots,
)
from toolbox.modules.plan import Wish, make_plan
from toolbox.modules.protocol import Dialogue, tell

COPY = "__rehearsal"


def rehearse(wish: Wish, dialogue: Dialogue) -> dict[str, Any]:
    """Do what is wished on a neutralised copy; gives back how long it took and what it locked."""
    postgres.doing = "inv module.rehearse"
    with postgres.exclusive():
        installed.refuse_no_odoo(wish.database)
        plan = make_plan(wish)
        tell("plan", **asdict(plan), empty=plan.empty)
        if plan.empty:
            return {"done": False}
        dialogue.expect("go")
        with _copy(wish.database, wish.patience) as name:
            _neutralise(name, dialogue)
            started = time.monotonic()
            try:
                watch = change.carry_out(_on(wish, name), plan, dialogue)
            except Failure as error:
                failed = Failure(error.message, "That was a rehearsal: nothing was changed.")
                raise failed from error
            seconds = round(time.monotonic() - started, 1)
        return {"done": True, "seconds": seconds, "locked": lock_watcher.longest(watch.held)}


def _on(wish: Wish, database: str) -> Wish:
    return Wish(database, patience=wish.patience)


@contextmanager
def _copy(database: str, patience: int) -> Iterator[str]:
    name = database + COPY
    snapshots.drop(name)
    snapshots.need_room(database)
    try:
        database_copy.copy(database, name, patience)
        snapshots.link(database, name)
        yield name
    finally:
        snapshots.drop(name)


def _neutralise(name: str, dialogue: Dialogue) -> None:
    """Before any server of Odoo sees the copy, by every module's own SQL."""
    ended, _ = odoo_process.odoo(name, "neutralize", f"--database={name}", dialogue=dialogue)
    if ended.code:
        raise odoo_process.fail("Odoo could not neutralise the copy", ended)
