"""`inv module.install`, `update`, `uninstall`, `rollback` and `rehearse`."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from scripts.core.errors import OpsError, UsageError
from scripts.core.files import exclusive
from scripts.core.report import Reporter
from scripts.modules import gate, service, serving
from scripts.stack.compose import Stack

_SHOWN: Final = 12  # names in a sentence
_LONGEST: Final = 86_400  # seconds


@dataclass(frozen=True)
class Wish:
    """What is to be done with modules, and how carefully."""

    install: tuple[str, ...] = ()
    update: tuple[str, ...] = ()
    uninstall: tuple[str, ...] = ()
    changed: bool = False  # update those that are not on disk what they were
    database: str = ""  # the platform's own if empty
    snapshot: bool = True
    patience: int = 60  # seconds

    def __post_init__(self) -> None:
        """Raises UsageError for no wish at all, and for what PostgreSQL would not take."""
        if not (self.install or self.update or self.uninstall or self.changed):
            raise UsageError("no module is named", "For example: sale,crm")
        if not 0 < self.patience <= _LONGEST:
            raise UsageError(f"--max-lock-wait takes 1 to {_LONGEST} seconds")

    def command(self, verb: str) -> list[str]:
        """For the program in the container."""
        chosen = (("install", self.install), ("update", self.update), ("uninstall", self.uninstall))
        flags = [f"--{flag}={','.join(names)}" for flag, names in chosen if names]
        switches = [(self.changed, "--changed"), (not self.snapshot, "--no-snapshot")]
        given = [flag for wanted, flag in switches if wanted]
        return [verb, *flags, *given, f"--max-lock-wait={self.patience}"]


@dataclass(frozen=True)
class Done:
    """What came of it."""

    plan: dict[str, Any]
    result: dict[str, Any]
    snapshot: dict[str, Any] | None
    restarted: bool

    @property
    def lines(self) -> list[str]:
        """For people."""
        if self.plan["empty"]:
            return ["There is nothing to do"]
        verbs = (("install", "Installed"), ("update", "Updated"), ("uninstall", "Uninstalled"))
        lines = [f"{said}: {names(self.plan[key])}" for key, said in verbs if self.plan[key]]
        if self.plan["besides"]:
            lines.append(f"With them: {names(self.plan['besides'])}")
        lines.append(f"It took {self.result['seconds']} s")
        if self.restarted:
            lines.append("Odoo was restarted, for its Python code had changed")
        if self.snapshot:
            lines.append(f"Back to what was there before: inv module.rollback {self.snapshot_name}")
        return lines

    @property
    def snapshot_name(self) -> str:
        """The short name of the snapshot made before."""
        return str(self.snapshot["name"]).rpartition("__")[2] if self.snapshot else ""


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


def change(stack: Stack, reporter: Reporter, wish: Wish, doing: str) -> Done:
    """Do what is wished, as a whole or not at all."""
    with service.alone(stack.settings, doing):
        service.prepare(stack)
        live = wish.database in ("", stack.settings.database)
        begin = service.conversation(
            stack, reporter, service.LIVE, wish.database, *wish.command("change")
        )
        # The gate is the outer one: it opens when what failed is undone.
        with ExitStack() as outside, begin as program:
            with reporter.step("Looking at the modules"):
                plan = program.hear("plan")
            _agree(reporter, plan)
            if plan["empty"]:
                return _finish(program, plan, restarted=False)
            if live and wish.snapshot:  # what is written meanwhile would be lost if it is undone
                outside.enter_context(gate.closed(stack, reporter, program.leave))
            program.say("go")
            with reporter.step(_title(plan)):
                changed = program.hear("changed")
            if live:
                outside.enter_context(serving.anew_if_undone(stack))
            restarted = live and serving.bring_up(stack, reporter, restart=changed["restart"])
            program.say("keep")
            return _finish(program, plan, restarted=restarted)


def _finish(program: service.Conversation, plan: dict[str, Any], *, restarted: bool) -> Done:
    result = program.hear("result")["result"]
    return Done(plan, result, program.told.get("snapshot"), restarted)


def _title(plan: dict[str, Any]) -> str:
    verbs = (("install", "Installing"), ("update", "Updating"), ("uninstall", "Uninstalling"))
    return "; ".join(f"{said} {names(plan[key])}" for key, said in verbs if plan[key])


def _agree(reporter: Reporter, plan: dict[str, Any]) -> None:
    if plan["missing"]:
        reporter.note(f"note: installed, but not on disk: {names(plan['missing'])}")
    if not plan["uninstall"]:
        return
    besides = f" and what builds on it, {names(plan['besides'])}," if plan["besides"] else ""
    question = (
        f"This removes {names(plan['uninstall'])}{besides} with all data in their own tables"
        " and fields. Continue?"
    )
    if not reporter.confirm(question, unattended=False):
        raise OpsError("nothing was removed", "Say yes, or give --yes where nobody can answer.")


def rehearse(stack: Stack, reporter: Reporter, wish: Wish) -> Done:
    """Do it on a neutralised copy that nobody sees, and throw that away."""
    with exclusive(service.lock(stack.settings), "module.rehearse"):
        service.prepare(stack)
        command = wish.command("rehearse")
        with service.conversation(
            stack, reporter, service.APART, wish.database, *command
        ) as program:
            with reporter.step("Looking at the modules"):
                plan = program.hear("plan")
            if not plan["empty"]:
                program.say("go")
                with reporter.step(f"On a copy: {_title(plan)}"):
                    return _finish(program, plan, restarted=False)
            return _finish(program, plan, restarted=False)


def rehearsed(done: Done) -> list[str]:
    """What a rehearsal tells, for people."""
    if done.plan["empty"]:
        return done.lines
    held = [f"{table} {seconds} s" for table, seconds in done.result["locked"].items()]
    return [
        f"It works: {_title(done.plan).lower()} took {done.result['seconds']} s on the copy",
        *([f"With them: {names(done.plan['besides'])}"] if done.plan["besides"] else []),
        f"Locked for everybody else: {', '.join(held) or 'nothing for long'}",
        f"Odoo {'has' if done.plan['restart'] else 'does not have'} to be restarted for it",
    ]


def roll_back(
    stack: Stack, reporter: Reporter, name: str, database: str, *, accept: bool
) -> list[str]:
    """Go back to a snapshot, or (`accept`) keep what an interrupted change has left."""
    with service.alone(stack.settings, "module.rollback"):
        service.prepare(stack)
        command = ["rollback", *(["--", name] if name else [])]
        begin = service.conversation(stack, reporter, service.LIVE, database, *command)
        with ExitStack() as outside, begin as program:
            chosen = program.hear("plan")
            if accept:
                program.say("accept")
                program.hear("result")
                return [f"What is there is kept; the way back is the snapshot {chosen['name']}"]
            question = (
                f"This replaces {chosen['database']!r} by its state of {chosen['made']},"
                f" before `{chosen['doing']}`. Continue?"
            )
            if not reporter.confirm(question, unattended=False):
                raise OpsError("nothing was changed", "Say yes, or give --yes.")
            live = chosen["database"] == stack.settings.database
            if live:
                outside.enter_context(gate.closed(stack, reporter, program.leave))
            program.say("go")
            with reporter.step(f"Going back to {chosen['made']}"):
                program.hear("changed")
            if live:
                outside.enter_context(serving.anew_if_undone(stack))
                serving.bring_up(stack, reporter, restart=True)
            program.say("keep")
            result = program.hear("result")["result"]
    present = f"What was there is the snapshot {result['present']}"
    return [
        f"{chosen['database']} is what it was on {chosen['made']}",
        f"{present if result['present'] else 'It was missing'}; the code on disk is as it was",
    ]


def test(stack: Stack, reporter: Reporter, module: str) -> dict[str, Any]:
    """Run the tests of one module; raises OpsError if any fails, or there are none."""
    if len(split(module)) != 1:
        raise UsageError(f"{module!r}: not the name of one module", "For example: sale")
    with exclusive(service.lock(stack.settings), "module.test"):
        service.prepare(stack)
        with reporter.step(f"Installing {module} into a database of its own, and testing it"):
            done: dict[str, Any] = service.ask(
                stack, reporter, service.APART, "", "test", *split(module)
            )
    return done
