"""The containers that work on modules, and how lines are exchanged with them."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from scripts.core import interrupted_rotation
from scripts.core.completed import Completed
from scripts.core.errors import OpsError, UsageError
from scripts.core.files import file_lock
from scripts.core.interactive import InteractiveProcess
from scripts.core.process import CommandFailedError
from scripts.core.report import Reporter
from scripts.core.settings import Settings
from scripts.stack import engine, image_names, lifecycle, oneoff, readiness
from scripts.stack.compose import Stack
from toolbox.contract.changes import Answer, RecoverResult, SnapshotTaken, Step
from toolbox.contract.messages import NOTE, PROGRESS

T = TypeVar("T")

LIVE: Final = "odoo_modules"
APART: Final = "odoo_rehearsal"  # no way out, and no session of the platform
_ANSWER_TIMEOUT: Final = 3600.0
_UNDONE: Final = "What was there before is there again."


def lock(settings: Settings) -> Path:
    """Held by whatever changes modules; two never run at once."""
    return settings.state_folder / "modules.lock"


@contextmanager
def alone(settings: Settings, doing: str) -> Iterator[None]:
    """Nobody else changes modules, or starts, stops or restarts the platform meanwhile."""
    with file_lock(lock(settings), doing), file_lock(lifecycle.lock(settings), doing):
        yield


def prepare(stack: Stack, *, changes: bool = False) -> None:
    """Start what the container asks; raises OpsError for what can be known to fail.

    `changes`: of the database that is served, by the image that serves it only.
    """
    engine.probe(stack.runner)
    interrupted_rotation.require_finished(stack.settings)
    if stack.runner.dry:
        raise UsageError("this cannot be shown without running it", "See: inv module.rehearse")
    if changes:
        _require_running_image(stack)
    readiness.ensure_running(stack, "odoo_db", "redis")  # Odoo does not start without its sessions


def _require_running_image(stack: Stack) -> None:
    """What runs is what is worked on: an image that was built since may have other modules."""
    running = [s.name for s in stack.services() if s.service == "odoo" and s.state == "running"]
    if running and _image_of(stack, running[0], "{{.Image}}") != _image_of(
        stack, image_names.effective(stack.settings)["ODOO_IMAGE"], "{{.Id}}"
    ):
        raise OpsError("Odoo runs on another image than the present one", "First run: inv up")


def _image_of(stack: Stack, what: str, field_: str) -> str:
    return stack.runner.run(["docker", "inspect", "--format", field_, what], timeout=60).stdout


def ask(
    stack: Stack, reporter: Reporter, service: str, database: str, *command: str, kind: type[T]
) -> T:
    """The program's answer, a record of `kind`; raises OpsError with its reason if it fails."""
    done = oneoff.run(stack, service, *_on(database), *command, timeout=_ANSWER_TIMEOUT)
    for line in done.stderr.splitlines():
        _pass_on(line, reporter)
    if not done.ok:
        raise _failure(done)
    event = oneoff.answer(dict[str, Any], done.stdout.splitlines()[-1])
    return oneoff.record(kind, event.get("result"))


def _on(database: str) -> list[str]:
    return [f"--database={database}"] if database else []


def _failure(done: Completed) -> OpsError:
    return oneoff.failure(done, "modules", "ODOO_MEMORY")


def _pass_on(line: str, reporter: Reporter) -> None:
    if line.startswith((NOTE, PROGRESS)):
        reporter.note(line)


@dataclass
class RunningChange:
    """A change under way. Leaving it before its end undoes the change."""

    process: InteractiveProcess
    events: dict[str, dict[str, Any]] = field(default_factory=dict)  # by step

    def wait_for(self, step: Step, kind: type[T]) -> T:
        """What the program reports at `step`; raises OpsError with its reason if it ends before."""
        while line := self.process.read_line():
            event = self._read(line)
            if event.get("step") == step:
                return oneoff.record(kind, event)
        raise self._reason()

    def result(self, kind: type[T]) -> T:
        """How it ended; raises OpsError with its reason if it failed."""
        event = self.wait_for(Step.RESULT, dict[str, Any])
        return oneoff.record(kind, event.get("result"))

    def answer(self, answer: Answer) -> None:
        """Have it go on."""
        self.process.write_line(answer)

    @property
    def snapshot(self) -> SnapshotTaken | None:
        """The snapshot that it has made."""
        event = self.events.get(Step.SNAPSHOT)
        return oneoff.record(SnapshotTaken, event) if event else None

    @property
    def undone(self) -> bool:
        """Whether it has undone what it had begun."""
        return Step.UNDONE in self.events

    def close(self) -> bool:
        """Leave; returns whether what had begun is undone, or nothing had."""
        done = self.process.end()
        for line in filter(None, done.stdout.splitlines()):
            with suppress(OpsError):  # such as a line in the middle of which it was killed
                self._read(line)
        return Step.SNAPSHOT not in self.events or bool(
            {Step.UNDONE, Step.RESULT} & self.events.keys()
        )

    def _read(self, line: str) -> dict[str, Any]:
        event = oneoff.answer(dict[str, Any], line)
        self.events[str(event.get("step"))] = event
        return event

    def leave(self) -> None:
        """Have it stop, and undo what it has begun, from another thread."""
        self.process.leave()

    def _reason(self) -> OpsError:
        error = _failure(self.process.end())
        again = _UNDONE if self.undone else ""
        return OpsError(error.message, f"{again} {error.hint}".strip())


@contextmanager
def conversation(
    stack: Stack, reporter: Reporter, service: str, database: str, *command: str
) -> Iterator[RunningChange]:
    """Speak with the program; if the block fails, what it has begun is undone.

    Also where its container died before it could do that itself.
    """
    words = oneoff.argv(service, *_on(database), *command)
    with stack.runner.interact(
        stack.argv(*words), lambda line: _pass_on(line, reporter)
    ) as process:
        change = RunningChange(process)
        try:
            yield change
        except BaseException:
            known = change.undone
            if not change.close() and service == LIVE:
                _recover(stack, reporter, database)
            elif change.undone and not known:
                reporter.note(_UNDONE)
            raise


def _recover(stack: Stack, reporter: Reporter, database: str) -> None:
    try:
        with reporter.step("Putting back what was there before"):
            readiness.ensure_running(stack, "odoo_db")
            ask(stack, reporter, LIVE, database, "recover", kind=RecoverResult)
    except (OpsError, CommandFailedError) as error:
        reporter.note(f"that failed: {error.message}")
        reporter.note("When it can work again: inv module.rollback")
