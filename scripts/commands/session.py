"""How a command begins: settings, runner and console, and whether it may change the platform."""

import functools
import os
from dataclasses import dataclass
from pathlib import Path

from invoke.context import Context

from scripts.core.console import Console
from scripts.core.errors import UsageError
from scripts.core.interruption import raise_on_sigterm
from scripts.core.process import SystemRunner
from scripts.core.redact import redactor
from scripts.core.settings import Settings
from scripts.stack.compose import Stack


@dataclass(frozen=True)
class Session:
    """What every task works with."""

    settings: Settings
    runner: SystemRunner
    console: Console
    folder: Path  # where the person has called from

    @property
    def stack(self) -> Stack:
        """The platform that these settings describe."""
        return Stack(self.settings, self.runner)

    def path(self, given: str) -> str:
        """A path as the person means it, from the folder of the call; '' stays ''.

        Raises UsageError for the home folder of a user whom there is not.
        """
        try:
            return str(self.folder / Path(given).expanduser()) if given else ""
        except RuntimeError as error:
            raise UsageError(f"{given}: there is no such user", "For a file: ./NAME") from error


def open_session(
    c: Context, *, prod: bool = False, dev: bool = False, debug: bool = False, yes: bool = False
) -> Session:
    """Settings, runner and console of this call; Invoke's --dry and --echo are honoured."""
    raise_on_sigterm()
    settings = Settings.load(prod=prod, dev=dev, debug=debug)
    folder = _called_from()
    os.chdir(settings.root)  # `inv` works from any folder, and its tools look around themselves
    run = c.config.run
    runner = SystemRunner(dry=run.dry, echo=run.echo, redact=redactor(settings.secrets_folder))
    return Session(settings, runner, Console.standard(assume_yes=yes), folder)


@functools.cache
def _called_from() -> Path:
    """The folder of the call. One call may have several commands, and the first leaves it."""
    try:
        return Path.cwd()
    except FileNotFoundError:  # it was removed meanwhile; no relative path means anything there
        return Path("/")


def open_to_change(
    c: Context,
    *,
    prod: bool = False,
    dev: bool = False,
    debug: bool = False,
    yes: bool = False,
    starts: bool = False,
) -> Session:
    """open_session for a command that changes the platform, or runs its programs.

    Raises OpsError where the platform belongs to another folder. `starts`: it may be made by
    this command.
    """
    from scripts.stack import identity

    session = open_session(c, prod=prod, dev=dev, debug=debug, yes=yes)
    identity.require(Stack(session.settings, session.runner), starts=starts)
    return session


def open_to_look(c: Context, *, engine_needed: bool = True) -> Session:
    """open_session for a command that shows the platform; warns where it is another folder's.

    Raises OpsError where no engine answers, if one is needed.
    """
    from scripts.stack import engine, identity

    session = open_session(c)
    claim = identity.look(session.stack)
    if engine_needed and claim.owner is identity.Owner.UNSEEN and not session.runner.dry:
        engine.probe(session.runner)
    if found := identity.refusal(session.settings, claim):
        session.console.note(f"warning: {found.message}")
    return session
