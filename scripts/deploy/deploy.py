"""`inv deploy`: what this folder has is served without a failed request, or what was before is."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from scripts import checkup, maintenance
from scripts.core import configuration
from scripts.core.checks import require, run_all
from scripts.core.errors import OpsError, UsageError
from scripts.core.files import LockedError, file_lock
from scripts.core.report import Reporter
from scripts.core.settings import Environment
from scripts.deploy import hooks, kept, record
from scripts.deploy.record import Result, Version
from scripts.deploy.replacement import Replacement
from scripts.deploy.work import Outcome, Work
from scripts.modules import change, listing
from scripts.stack import engine, image_facts, image_names, images, lifecycle, maintenance_window
from scripts.stack.compose import Stack
from scripts.stack.differences import changed_services
from toolbox.contract.changes import ChangeRequest

_GATE_SECONDS: Final = 60.0
_LOCK_SECONDS: Final = 900.0
_MESSAGE: Final = "We are updating this site. It is back in a few minutes."
# What visitors need; others of `inv health` may have failed before.
_GATE: Final = (
    "Nginx",
    "Odoo (proxy)",
    "Odoo (container)",
    "Redis",
    "Assets",
    "Websocket",
    "Replicas",
)


def deploy(
    stack: Stack, reporter: Reporter, *, drain: float, code_only: bool = False, force: bool = False
) -> Outcome:
    """Build, rehearse if modules have changed, replace Odoo's containers, see that it serves.

    `drain`: seconds that requests under way have before their container is stopped. `code_only`:
    changed modules need no update of their data. `force`: even if nothing has changed. Raises
    OpsError where it fails; what served before serves then.
    """
    with _alone(stack, reporter, "deploy", drain) as work:
        settings = work.stack.settings
        before = kept.as_started(work.stack, record.known(settings), work.id)
        with kept.named_as_before(settings):  # in `.env`, if nothing comes of this
            new = kept.serve_built(work.stack, reporter)
            image = images.ensure(new, reporter, image_names.BACKUP)[kept.IMAGE]
            _require_only_odoo(new)
            changed = () if code_only else _changed(new, reporter)
            if not (force or changed) and _serves(new, before, image):
                return work.unchanged(before)
            after = kept.built(new, image, work.id)
            try:
                hooks.run(new, reporter, hooks.BEFORE, work.variables(before, after))
            except OpsError:
                work.prune(before)
                raise
        if changed:
            with _or_back(work, before, after):
                _rehearse(new, reporter)
            with _kept_out(new, reporter), _or_back(work, before, after):
                _with_pause(work, new)
        with _or_back(work, before, after):
            if not changed:
                _replace(work, new)
            _gate(new, reporter)
        return work.served(new, before, after, Result.DEPLOYED, changed)


def roll_back(stack: Stack, reporter: Reporter, *, drain: float) -> Outcome:
    """Have serve what served before the last deployment, image and code.

    Raises OpsError where that is not known, or gone. The data of modules stay as they are.
    """
    with _alone(stack, reporter, "deploy.rollback", drain) as work:
        known = record.known(work.stack.settings)
        now = kept.running(work.stack, record.serving(known), work.id)
        before = record.previous(known, now)
        if not before or not kept.is_there(work.stack, before):
            raise OpsError("what served before the last deployment is not kept", "inv deploy.list")
        work.warn_of_data(next(each.modules for each in known if each.after == now))
        if not before.code:
            reporter.note("warning: no copy of its code was kept: odoo/addons is used as it is")
        with _or_back(work, now, before):
            old = kept.serve(work.stack, reporter, before)
            _replace(work, old)
            _gate(old, reporter)
        return work.served(old, now, before, Result.ROLLED_BACK, ())


@contextmanager
def _alone(stack: Stack, reporter: Reporter, doing: str, drain: float) -> Iterator[Work]:
    """One deployment at a time, of production that runs."""
    engine.probe(stack.runner)
    if stack.runner.dry:
        raise UsageError("inv deploy has no dry run", "See: inv upgrade --check")
    running = stack.as_running()
    if running.environment() is not Environment.PROD:
        raise UsageError("a deployment is of production that runs", "Start it: inv up --prod")
    if running.settings.odoo_services != stack.settings.odoo_services:
        raise UsageError("ODOO_REPLICAS was changed since the start", "First run: inv up")
    kept.refuse_own_choice(stack.settings)
    configuration.require(running.settings)
    work = Work(running, reporter, drain)
    lock = stack.settings.state_folder / "deploy.lock"
    with file_lock(lock, f"{doing}` of `{work.who}"):
        yield work


def _changed(stack: Stack, reporter: Reporter) -> tuple[str, ...]:
    return tuple(m.name for m in listing.find(stack, reporter, "") if m.changed)


def _require_only_odoo(stack: Stack) -> None:
    """Raises OpsError where another service would change as well: not without a pause."""
    own = {*stack.settings.odoo_services, "odoo_init"}
    others = sorted(changed_services(stack, stack.services()) - own)
    if others:
        raise OpsError(
            f"not only Odoo has changed: {', '.join(others)}",
            "With a pause: inv up, or inv upgrade after git pull. Then deploy.",
        )


def _serves(stack: Stack, before: Version, image: str) -> bool:
    """Whether `image` and the code of this folder are what serves, by the list."""
    identity = image_facts.ids(stack.runner, [image])[0]
    code = kept.code_digest(stack.settings.root / "odoo" / "addons")
    same = (identity, code) == (before.image_id, before.digest)
    return same and not changed_services(stack, stack.services())


def _rehearse(stack: Stack, reporter: Reporter) -> None:
    done = change.rehearse(stack, reporter, ChangeRequest(changed=True))
    for line in change.rehearsed(done):
        reporter.note(line)


def _replace(work: Work, stack: Stack) -> None:
    with _lock_when_free(stack, work.reporter):
        replacement = Replacement(stack, work.reporter, work.drain)
        try:
            replacement.run()
        finally:
            work.touched |= replacement.begun


@contextmanager
def _lock_when_free(stack: Stack, reporter: Reporter) -> Iterator[None]:
    """Hold the lock of those who start and stop; waits for another command that does so."""
    deadline, told = time.monotonic() + _LOCK_SECONDS, False
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(file_lock(lifecycle.lock(stack.settings), "deploy"))
                break
            except LockedError as error:
                if time.monotonic() > deadline:
                    raise
                if not told:
                    reporter.note(f"Waiting: {error.message}")
                told = True
            time.sleep(1)
        yield


@contextmanager
def _kept_out(stack: Stack, reporter: Reporter) -> Iterator[None]:
    """Visitors are told that the site is updated, also while a failed update is undone.

    Code that runs on the data of before would fail in ways of its own. A window of the operator
    stays; one that a killed deployment has left ends with this one.
    """
    window = maintenance_window.active(stack.settings)
    ours = window is None or window.message == _MESSAGE
    if window is None:
        maintenance.begin(stack, reporter, _MESSAGE, None)
    try:
        yield
    finally:
        if ours:
            maintenance.end(stack, reporter)


def _with_pause(work: Work, stack: Stack) -> None:
    """New containers and the data of their modules."""
    work.touched = True
    lifecycle.up(stack, work.reporter)
    done = change.change(stack, work.reporter, ChangeRequest(changed=True), "deploy")
    work.updated = (*done.plan.update, *done.plan.install)
    for line in done.lines:
        work.reporter.note(line)


def _gate(stack: Stack, reporter: Reporter) -> None:
    """Wait until visitors are served through Nginx; raises OpsError if they are not."""
    if maintenance_window.active(stack.settings):
        return  # by the operator's own wish
    deadline = time.monotonic() + _GATE_SECONDS
    with reporter.step("Looking at it as visitors do"):
        while True:
            wanted = [c for c in checkup.checks(stack, checkup.PATIENT) if c.name in _GATE]
            try:
                require(run_all(wanted), "the new version does not serve")
            except OpsError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)
            else:
                return


@contextmanager
def _or_back(work: Work, before: Version, after: Version) -> Iterator[None]:
    """Have `before` serve again where the block fails, and write the line."""
    try:
        yield
    except BaseException as error:  # a second Ctrl-C included
        told = str(getattr(error, "message", "")) or type(error).__name__
        reason, result = told.splitlines()[0].partition("; its last log")[0], Result.RETURNED
        try:
            _go_back(work, before)
        except BaseException as second:
            result = Result.FAILED
            said = str(getattr(second, "message", "")) or type(second).__name__
            work.reporter.note(f"warning: the way back failed as well: {said}")
        work.failed(before, after, result, reason)
        raise


def _go_back(work: Work, before: Version) -> None:
    """By other containers, also where the former still serve: they would start on the new code."""
    old = kept.serve(work.stack, work.reporter, before)
    work.warn_of_data(work.updated)
    own = {*old.settings.odoo_services}
    differs = bool(before.code) and bool(changed_services(old, old.services()) & own)
    if not before.code:
        work.reporter.note(
            "No copy of the code that served was kept: do not restart Odoo before odoo/addons is"
            " as it was"
        )
    if work.touched or differs:
        work.reporter.note("Going back to what served before")
        _replace(work, old)
