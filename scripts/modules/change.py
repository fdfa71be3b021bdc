"""`inv module.install`, `update`, `uninstall`, `rollback` and `rehearse`."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any, Final

from scripts.core.errors import OpsError, UsageError
from scripts.core.files import file_lock
from scripts.core.report import Reporter
from scripts.modules import maintenance, odoo_restart, service
from scripts.stack.compose import Stack
from toolbox.contract.changes import (
    Answer,
    Changed,
    ChangePlan,
    ChangeRequest,
    ChangeResult,
    ModuleTestResult,
    RollbackResult,
    Snapshot,
    SnapshotTaken,
    Step,
)

_SHOWN: Final = 12  # names in a sentence
_LONGEST: Final = 86_400  # seconds
_DONE: Final = ("Installed", "Updated", "Uninstalled")
_DOING: Final = ("Installing", "Updating", "Uninstalling")


def validated(request: ChangeRequest) -> ChangeRequest:
    """`request`; raises UsageError for one of nothing, and for what PostgreSQL would refuse."""
    if not (request.install or request.update or request.uninstall or request.changed):
        raise UsageError("no module is named", "For example: sale,crm")
    if not 0 < request.patience <= _LONGEST:
        raise UsageError(f"--max-lock-wait takes 1 to {_LONGEST} seconds")
    return request


@dataclass(frozen=True)
class Outcome:
    """What came of a change, or of its rehearsal."""

    plan: ChangePlan
    result: ChangeResult
    snapshot: SnapshotTaken | None
    restarted: bool

    @property
    def lines(self) -> list[str]:
        """For people."""
        if self.plan.empty:
            return ["There is nothing to do"]
        lines = [f"{verb}: {names(found)}" for verb, found in _parts(self.plan, _DONE)]
        if self.plan.besides:
            lines.append(f"With them: {names(self.plan.besides)}")
        lines.append(f"It took {self.result.seconds} s")
        if self.restarted:
            lines.append("Odoo was restarted, for its Python code had changed")
        if self.snapshot:
            lines.append(f"Back to what was there before: inv module.rollback {self.snapshot_name}")
        return lines

    @property
    def snapshot_name(self) -> str:
        """The short name of the snapshot made before."""
        return self.snapshot.name.rpartition("__")[2] if self.snapshot else ""

    @property
    def json(self) -> dict[str, Any]:
        """For machines."""
        found = asdict(self)
        found["plan"]["empty"] = self.plan.empty
        return found


@dataclass(frozen=True)
class RolledBack:
    """What a rollback has done."""

    snapshot: Snapshot
    present: str | None  # the snapshot of what was replaced, '' if nothing was; None: it was kept

    @property
    def lines(self) -> list[str]:
        """For people."""
        chosen = self.snapshot
        if self.present is None:
            return [f"What is there is kept; the way back is the snapshot {chosen.name}"]
        present = f"What was there is the snapshot {self.present}"
        return [
            f"{chosen.database} is what it was on {chosen.made}",
            f"{present if self.present else 'It was missing'}; the code on disk is as it was",
        ]


def split(text: str) -> tuple[str, ...]:
    """Names with commas between; raises UsageError for what cannot be names."""
    found = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if wrong := [name for name in found if not name.isidentifier() or not name.isascii()]:
        raise UsageError(f"{', '.join(wrong)}: not the name of a module", "For example: sale,crm")
    return found


def names(found: Sequence[str]) -> str:
    """Names for a sentence."""
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(found[:_SHOWN]) + more


def _parts(plan: ChangePlan, verbs: Sequence[str]) -> list[tuple[str, Sequence[str]]]:
    parts = zip(verbs, (plan.install, plan.update, plan.uninstall), strict=True)
    return [(verb, found) for verb, found in parts if found]


def change(stack: Stack, reporter: Reporter, request: ChangeRequest, doing: str) -> Outcome:
    """Change modules as requested, as a whole or not at all."""
    command = validated(request).command("change")
    with service.alone(stack.settings, doing):
        service.prepare(stack, changes=True)
        live = request.database in ("", stack.settings.database)
        begin = service.conversation(stack, reporter, service.LIVE, request.database, *command)
        # The gate is the outer one: it opens when what failed is undone.
        with ExitStack() as outside, begin as program:
            plan = _plan(program, reporter)
            _agree(reporter, plan)
            if plan.empty:
                return _outcome(program, plan)
            if live and request.snapshot:  # what is written meanwhile is lost if it is undone
                outside.enter_context(maintenance.enabled(stack, reporter, program.leave))
            program.answer(Answer.GO)
            with reporter.step(_title(plan)):
                changed = program.wait_for(Step.CHANGED, Changed)
            if live:
                outside.enter_context(odoo_restart.restart_if_undone(stack))
            restarted = live and odoo_restart.bring_up(stack, reporter, restart=changed.restart)
            program.answer(Answer.KEEP)
            return _outcome(program, plan, restarted=restarted)


def _plan(program: service.RunningChange, reporter: Reporter) -> ChangePlan:
    with reporter.step("Looking at the modules"):
        return program.wait_for(Step.PLAN, ChangePlan)


def _outcome(
    program: service.RunningChange, plan: ChangePlan, *, restarted: bool = False
) -> Outcome:
    return Outcome(plan, program.result(ChangeResult), program.snapshot, restarted)


def _title(plan: ChangePlan) -> str:
    return "; ".join(f"{verb} {names(found)}" for verb, found in _parts(plan, _DOING))


def _agree(reporter: Reporter, plan: ChangePlan) -> None:
    if plan.missing:
        reporter.note(f"note: installed, but not on disk: {names(plan.missing)}")
    if not plan.uninstall:
        return
    besides = f" and what builds on it, {names(plan.besides)}," if plan.besides else ""
    question = (
        f"This removes {names(plan.uninstall)}{besides} with all data in their own tables"
        " and fields. Continue?"
    )
    if not reporter.confirm(question, unattended=False):
        raise OpsError("nothing was removed", "Say yes, or give --yes where nobody can answer.")


def rehearse(stack: Stack, reporter: Reporter, request: ChangeRequest) -> Outcome:
    """Make the change on a neutralised copy that nobody sees, and throw that away."""
    command = validated(request).command("rehearse")
    with file_lock(service.lock(stack.settings), "module.rehearse"):
        service.prepare(stack)
        with service.conversation(
            stack, reporter, service.APART, request.database, *command
        ) as program:
            plan = _plan(program, reporter)
            if plan.empty:
                return _outcome(program, plan)
            program.answer(Answer.GO)
            with reporter.step(f"On a copy: {_title(plan)}"):
                return _outcome(program, plan)


def rehearsed(done: Outcome) -> list[str]:
    """What a rehearsal tells, for people."""
    if done.plan.empty:
        return done.lines
    held = [f"{table} {seconds} s" for table, seconds in done.result.locked.items()]
    return [
        f"It works: {_title(done.plan).lower()} took {done.result.seconds} s on the copy",
        *([f"With them: {names(done.plan.besides)}"] if done.plan.besides else []),
        f"Locked for everybody else: {', '.join(held) or 'nothing for long'}",
        f"Odoo {'has' if done.plan.restart else 'does not have'} to be restarted for it",
    ]


def roll_back(
    stack: Stack, reporter: Reporter, name: str, database: str, *, accept: bool
) -> RolledBack:
    """Go back to a snapshot, or (`accept`) keep what an interrupted change has left."""
    with service.alone(stack.settings, "module.rollback"):
        service.prepare(stack, changes=True)
        command = ["rollback", *(["--", name] if name else [])]
        begin = service.conversation(stack, reporter, service.LIVE, database, *command)
        with ExitStack() as outside, begin as program:
            chosen = program.wait_for(Step.PLAN, Snapshot)
            if accept:
                program.answer(Answer.ACCEPT)
                program.result(RollbackResult)
                return RolledBack(chosen, present=None)
            question = (
                f"This replaces {chosen.database!r} by its state of {chosen.made},"
                f" before `{chosen.doing}`. Continue?"
            )
            if not reporter.confirm(question, unattended=False):
                raise OpsError("nothing was changed", "Say yes, or give --yes.")
            live = chosen.database == stack.settings.database
            if live:
                outside.enter_context(maintenance.enabled(stack, reporter, program.leave))
            program.answer(Answer.GO)
            with reporter.step(f"Going back to {chosen.made}"):
                program.wait_for(Step.CHANGED, Changed)
            if live:
                outside.enter_context(odoo_restart.restart_if_undone(stack))
                odoo_restart.bring_up(stack, reporter, restart=True)
            program.answer(Answer.KEEP)
            result = program.result(RollbackResult)
    return RolledBack(chosen, result.present)


def test(stack: Stack, reporter: Reporter, module: str) -> ModuleTestResult:
    """Run the tests of one module; raises OpsError if any fails, or there are none."""
    if len(split(module)) != 1:
        raise UsageError(f"{module!r}: not the name of one module", "For example: sale")
    with file_lock(service.lock(stack.settings), "module.test"):
        service.prepare(stack)
        with reporter.step(f"Installing {module} into a database of its own, and testing it"):
            words = ("test", *split(module))
            return service.ask(stack, reporter, service.APART, "", *words, kind=ModuleTestResult)
