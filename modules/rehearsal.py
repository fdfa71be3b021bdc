"""What is tried on a copy, or on nothing, before anybody's books are touched."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import addons
import catalogue
import change
import load
import odoo_versions
import run
import server
import snapshots
from common import Failure
from dialogue import Dialogue, tell

import postgres

COPY, SCRATCH = "__rehearsal", "__test"
_NO_TESTS = " 0 failed, 0 error(s) of 0 tests"


def rehearse(wish: change.Wish, dialogue: Dialogue) -> dict[str, Any]:
    """Do what is wished on a neutralised copy; gives back how long it took and what it locked."""
    postgres.doing = "inv module.rehearse"
    with postgres.exclusive():
        catalogue.refuse_no_odoo(wish.database)
        plan = change.make_plan(wish)
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
        return {"done": True, "seconds": seconds, "locked": server.longest(watch.held)}


def _on(wish: change.Wish, database: str) -> change.Wish:
    return change.Wish(database, patience=wish.patience)


@contextmanager
def _copy(database: str, patience: int) -> Iterator[str]:
    name = database + COPY
    snapshots.drop(name)
    snapshots.need_room(database)
    try:
        server.copy(database, name, patience)
        snapshots.link(database, name)
        yield name
    finally:
        snapshots.drop(name)


def _neutralise(name: str, dialogue: Dialogue) -> None:
    """Before any server of Odoo sees the copy, by every module's own SQL."""
    ended, _ = run.odoo(name, "neutralize", f"--database={name}", dialogue=dialogue)
    if ended.code:
        raise run.fail("Odoo could not neutralise the copy", ended)


def test(database: str, module: str) -> dict[str, Any]:
    """Run the tests of one module in a database of its own; raises Failure if any fails."""
    postgres.doing = "inv module.test"
    name = database + SCRATCH
    with postgres.exclusive():
        (addon,) = addons.look_up([module])
        addons.needed([module], [])
        if not (addon.path / "tests" / "__init__.py").is_file():  # before a minute is spent on it
            raise _no_tests(module)
        snapshots.drop(name)
        started = time.monotonic()
        try:
            load.create(name, "C", "")
            ended, _ = run.odoo(name, *_test_arguments(name, module))
        finally:
            snapshots.drop(name)
    summary = next((line for line in reversed(ended.lines) if " error(s) of " in line), "")
    if ended.code:
        raise run.fail(f"the tests of {module} failed", ended)
    if not summary or _NO_TESTS in summary:
        raise _no_tests(module)
    return {"module": module, "summary": summary.partition(": ")[2], **_seconds(started)}


def _no_tests(module: str) -> Failure:
    return Failure(f"{module} has no tests that run", "See odoo/scaffold for one.")


def _seconds(started: float) -> dict[str, float]:
    return {"seconds": round(time.monotonic() - started, 1)}


def _test_arguments(name: str, module: str) -> list[str]:
    # Tests count on demo data. No --no-http: tests may ask the server, and nobody else is in
    # this container.
    return [
        f"--database={name}", f"--init={module}", *odoo_versions.demo_arguments(),
        "--stop-after-init", "--workers=0", "--max-cron-threads=0",
        "--test-enable", f"--test-tags=/{module}",
    ]  # fmt: skip
