"""The platform on several machines, by Docker Swarm."""

from invoke.collection import Collection
from invoke.context import Context

from scripts.commands.help_texts import JSON, YES
from scripts.commands.session import open_to_change, open_to_look
from scripts.core.tasklib import command


@command(
    {"address": "The one by which other machines reach this one; if empty, its only one."},
    name="init",
)
def swarm_init(c: Context, address: str = "") -> None:
    """Begin a swarm with this machine, which gets PostgreSQL, Redis and Nginx."""
    from scripts.swarm import join

    session = open_to_change(c, prod=True)
    session.console.say(*join.begin(session.runner, session.console, address).lines)


@command({"loaded": "The images are on all nodes: none is pushed.", "json": JSON}, name="deploy")
def swarm_deploy(c: Context, loaded: bool = False, json: bool = False) -> None:
    """Build the images, give them to the nodes, update the services, and wait."""
    from scripts.swarm import deploy

    session = open_to_change(c, prod=True)
    done = deploy.deploy(session.stack, session.console, loaded=loaded)
    session.console.show(done, done.lines, as_json=json)


@command({"json": JSON}, name="status")
def swarm_status(c: Context, json: bool = False) -> None:
    """Show nodes and services of the swarm: where tasks run, and why they do not."""
    from scripts.swarm import status

    session = open_to_look(c)
    found = status.look(session.stack)
    session.console.show(found, found.lines, as_json=json)


@command(
    {"node": "Its host name or id.", "back": "Give it tasks again.", "json": JSON, "yes": YES},
    name="drain",
)
def swarm_drain(
    c: Context, node: str, back: bool = False, json: bool = False, yes: bool = False
) -> None:
    """Move all tasks of a node to others, for work on it; asks where something would stop."""
    from scripts.swarm import drain

    session = open_to_change(c, prod=True, yes=yes)
    change = drain.back if back else drain.drain
    done = change(session.stack, session.console, node)
    session.console.show(done, done.lines, as_json=json)


@command({"json": JSON}, name="rollback")
def swarm_rollback(c: Context, json: bool = False) -> None:
    """Go back to images, settings and secrets from before the last deployment."""
    from scripts.swarm import rollback

    session = open_to_change(c, prod=True)
    done = rollback.roll_back(session.stack, session.console)
    session.console.show(done, done.lines, as_json=json)


@command({"json": JSON}, name="backup")
def swarm_backup(c: Context, json: bool = False) -> None:
    """Back up database and files by a task on the node that has the database."""
    from scripts.backups import render
    from scripts.swarm import backup

    session = open_to_change(c, prod=True)
    made = backup.create(session.stack, session.console)
    render.show_made(session.console, made, as_json=json)


@command({"json": JSON}, name="backups")
def swarm_backups(c: Context, json: bool = False) -> None:
    """List the complete backups, the oldest first."""
    from scripts.backups import render
    from scripts.swarm import backup

    session = open_to_change(c, prod=True)
    found = backup.listed(session.stack, session.console)
    session.console.show(render.as_json(found), render.table(found).lines, as_json=json)


@command(
    {
        "source": "A backup, or latest.",
        "at": "A moment instead: 2026-11-26 14:32, yesterday 17:00, -15min, before xid 4711.",
        "undo": "Go back to what the last restore replaced.",
        "json": JSON,
        "yes": YES,
    },
    name="restore",
    positional=("source",),
)
def swarm_restore(
    c: Context,
    source: str = "latest",
    at: str = "",
    undo: bool = False,
    json: bool = False,
    yes: bool = False,
) -> None:
    """Bring a backup or a moment back; verified before anything live is touched; asks."""
    from scripts.backups import moments
    from scripts.backups.wanted import Wanted, validate
    from scripts.swarm import restore

    session = open_to_change(c, prod=True, yes=yes)
    wanted = Wanted(source=source, at=moments.parse(at) if at else None)
    validate(wanted, configuration=False, undo=undo)
    stack, console = session.stack, session.console
    done = restore.undo(stack, console) if undo else restore.restore(stack, console, wanted)
    session.console.show(done, done.lines, as_json=json)
    done.warn()


COLLECTION = Collection(
    "swarm",
    swarm_init,
    swarm_deploy,
    swarm_status,
    swarm_drain,
    swarm_rollback,
    swarm_backup,
    swarm_backups,
    swarm_restore,
)
