"""The sessions that Redis keeps."""

from invoke.collection import Collection
from invoke.context import Context

from scripts.commands.help_texts import JSON, YES
from scripts.commands.session import open_to_change, open_to_look
from scripts.core.tasklib import command


@command({"json": JSON}, name="list", default=True)
def sessions_list(c: Context, json: bool = False) -> None:
    """Show how many sessions there are, by user and age."""
    from scripts import sessions

    session = open_to_look(c)
    found = sessions.overview(session.stack)
    lines = [*sessions.table(found).lines, sessions.summary(found)]
    session.console.show(sessions.as_json(found), lines, as_json=json)


@command({"user": "The login whose sessions end.", "json": JSON, "yes": YES}, name="revoke")
def sessions_revoke(c: Context, user: str, json: bool = False, yes: bool = False) -> None:
    """Log a user out everywhere; asks first."""
    from scripts import sessions

    session = open_to_change(c, yes=yes)
    ended = sessions.revoke(session.stack, session.console, user)
    found, lines = {"user": user, "ended": ended}, [f"{ended} sessions of {user!r} ended"]
    session.console.show(found, lines, as_json=json)


@command({"json": JSON}, name="import")
def sessions_import(c: Context, json: bool = False) -> None:
    """Move sessions that were kept in files into Redis; a start does it by itself."""
    from scripts import sessions

    session = open_to_change(c)
    moved = sessions.bring_files(session.stack)
    session.console.show({"moved": moved}, [f"{moved} sessions moved"], as_json=json)


COLLECTION = Collection("sessions", sessions_list, sessions_revoke, sessions_import)
