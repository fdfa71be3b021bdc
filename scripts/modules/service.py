"""The containers that work on modules, and how they are spoken with."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from scripts.core import unfinished
from scripts.core.errors import OpsError, UsageError
from scripts.core.files import exclusive
from scripts.core.process import CommandFailedError, Completed, Talk
from scripts.core.report import Reporter
from scripts.core.settings import Settings
from scripts.stack import engine, image_names, lifecycle, oneshot
from scripts.stack.compose import Stack

LIVE: Final = "odoo_modules"
APART: Final = "odoo_rehearsal"  # no way out, and no session of the platform
_SECONDS: Final = 3600.0
_UNDONE: Final = "What was there before is there again."


def lock(settings: Settings) -> Path:
    """Held by whatever changes modules; two never run at once."""
    return settings.state_folder / "modules.lock"


@contextmanager
def alone(settings: Settings, doing: str) -> Iterator[None]:
    """Nobody else changes modules, or starts, stops or restarts the platform meanwhile."""
    with exclusive(lock(settings), doing), exclusive(lifecycle.lock(settings), doing):
        yield


def prepare(stack: Stack) -> None:
    """Start what the container asks; raises OpsError for what can be known to fail."""
    engine.probe(stack.runner)
    unfinished.refuse(stack.settings)
    if stack.runner.dry:
        raise UsageError("this cannot be shown without running it", "See: inv module.rehearse")
    _refuse_other_image(stack)
    oneshot.need(stack, "odoo_db", "redis")  # Odoo does not start without its sessions


def _refuse_other_image(stack: Stack) -> None:
    """What runs is what is worked on: an image that was built since may have other modules."""
    running = [s.name for s in stack.services() if s.service == "odoo" and s.state == "running"]
    if running and _image_of(stack, running[0], "{{.Image}}") != _image_of(
        stack, image_names.effective(stack.settings)["ODOO_IMAGE"], "{{.Id}}"
    ):
        raise OpsError("Odoo runs on another image than the present one", "First run: inv up")


def _image_of(stack: Stack, what: str, field_: str) -> str:
    return stack.runner.run(["docker", "inspect", "--format", field_, what], timeout=60).stdout


def ask(stack: Stack, reporter: Reporter, service: str, database: str, *command: str) -> Any:
    """What the program answers; raises OpsError with its reason if it fails."""
    words = oneshot.argv(service, *_on(database), *command)
    done = stack.run(*words, timeout=_SECONDS, check=False)
    for line in done.stderr.splitlines():
        _pass_on(line, reporter)
    if not done.ok:
        raise _failure(done)
    return json.loads(done.stdout.splitlines()[-1])["result"]


def _on(database: str) -> list[str]:
    return [f"--database={database}"] if database else []


def _failure(done: Completed) -> OpsError:
    return oneshot.failure(done, "modules", "ODOO_MEMORY")


def _pass_on(line: str, reporter: Reporter) -> None:
    if line.startswith(("note: ", "… ")):
        reporter.note(line)


@dataclass
class Conversation:
    """A change under way. Whoever leaves it before its end has it undone."""

    talk: Talk
    told: dict[str, dict[str, Any]] = field(default_factory=dict)  # by step

    def hear(self, step: str) -> dict[str, Any]:
        """What the program tells at `step`; raises OpsError with its reason if it ends before."""
        while line := self.talk.hear():
            told = json.loads(line)
            self.told[told["step"]] = told
            if told["step"] == step:
                return dict(told)
        raise self._reason()

    def say(self, word: str) -> None:
        """Answer it."""
        self.talk.say(word)

    def leave(self) -> None:
        """Have it stop, and undo what it has begun, from another thread."""
        self.talk.leave()

    def _reason(self) -> OpsError:
        error = _failure(self.talk.end())
        again = _UNDONE if "undone" in self.told else ""
        return OpsError(error.message, f"{again} {error.hint}".strip())

    def close(self) -> bool:
        """Leave; gives back whether what had begun is undone, or nothing had."""
        done = self.talk.end()
        told = [json.loads(line) for line in done.stdout.splitlines() if line]
        self.told.update({step["step"]: step for step in told})
        return "snapshot" not in self.told or bool({"undone", "result"} & self.told.keys())


@contextmanager
def conversation(
    stack: Stack, reporter: Reporter, service: str, database: str, *command: str
) -> Iterator[Conversation]:
    """Speak with the program; if the block fails, what it has begun is undone.

    Also where its container died before it could do that itself.
    """
    words = oneshot.argv(service, *_on(database), *command)
    with stack.runner.talk(stack.argv(*words), lambda line: _pass_on(line, reporter)) as talk:
        spoken = Conversation(talk)
        try:
            yield spoken
        except BaseException:
            known = "undone" in spoken.told
            if not spoken.close() and service == LIVE:
                _recover(stack, reporter, database)
            elif "undone" in spoken.told and not known:
                reporter.note(_UNDONE)
            raise


def _recover(stack: Stack, reporter: Reporter, database: str) -> None:
    try:
        with reporter.step("Putting back what was there before"):
            oneshot.need(stack, "odoo_db")
            ask(stack, reporter, LIVE, database, "recover")
    except (OpsError, CommandFailedError) as error:
        reporter.note(f"that failed: {error.message}")
        reporter.note("When it can work again: inv module.rollback")
