"""How a command begins: what it may do to the platform is known before it does anything."""

from invoke.context import Context

from scripts.core.tasklib import Session, open_session
from scripts.stack.compose import Stack


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


def open_to_look(c: Context) -> Session:
    """open_session for a command that shows the platform; warns where it is another folder's."""
    from scripts.stack import identity

    session = open_session(c)
    if found := identity.problem(Stack(session.settings, session.runner)):
        session.console.note(f"warning: {found.message}")
    return session
