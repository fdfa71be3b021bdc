"""Set the platform up, start and stop it."""

from dataclasses import replace

from invoke.context import Context

from scripts.commands.help_texts import DEV, JSON, PROD, YES
from scripts.commands.session import open_session, open_to_change, open_to_look
from scripts.core.errors import OpsError
from scripts.core.tasklib import command
from scripts.stack.compose import Stack


@command(
    {"prod": PROD, "odoo": "The version that it has to be, such as 18; if empty, any.", "yes": YES}
)
def quickstart(c: Context, prod: bool = False, odoo: str = "", yes: bool = False) -> None:
    """Bring a bare machine to a healthy Odoo: engine, secrets, images, start."""
    from scripts import quickstart as quick

    session = open_session(c, prod=prod, yes=yes)
    stack = Stack(replace(session.settings, odoo_version=odoo), session.runner)
    outcome = quick.run(stack, session.console)
    session.console.say("", *outcome.lines)


@command(
    {"refresh": "Also those that are there, for the fixes that came out since.", "json": JSON},
    name="images",
)
def images_task(c: Context, refresh: bool = False, json: bool = False) -> None:
    """Pull or build every image that is missing or out of date."""
    from scripts.stack import engine, image_names, images
    from scripts.stack import refresh as refreshing

    session = open_to_change(c)
    engine.probe(session.runner)
    if refresh:
        for line in refreshing.changes(session.stack, session.console):
            session.console.note(line)
    else:
        images.ensure(session.stack, session.console, image_names.BACKUP)
    table, advice = refreshing.listing(Stack(open_session(c).settings, session.runner))
    session.console.show(table.records, table.lines, as_json=json)
    if advice:
        session.console.note(advice)


@command(
    {
        "prod": PROD,
        "dev": DEV,
        "supabase": "The local Supabase, too, with its migrations (dev only).",
        "monitoring": "Prometheus, Alertmanager and their exporters, too.",
        "debug": "Let a debugger attach to Odoo, on this machine (dev only).",
        "replicas": "Containers of Odoo that serve requests (prod only); 0: one does everything.",
    }
)
def up(
    c: Context,
    prod: bool = False,
    dev: bool = False,
    supabase: bool = False,
    monitoring: bool = False,
    debug: bool = False,
    replicas: str = "",
) -> None:
    """Start the platform, as what it was before, and wait until the login page is served."""
    from scripts import monitoring as watching
    from scripts import startup

    session = open_to_change(c, prod=prod, dev=dev, debug=debug, starts=True)
    stack = watching.wanting(session.stack) if monitoring else session.stack
    for line in startup.up(stack, session.console, supabase=supabase, copies=replicas):
        session.console.say(line)


@command({"volumes": "Destroy database, files and sessions too; asks first.", "yes": YES})
def down(c: Context, volumes: bool = False, yes: bool = False) -> None:
    """Stop the platform and remove its containers."""
    from scripts.stack import lifecycle, planned_stop, served

    session = open_to_change(c, yes=yes)
    if not lifecycle.down(session.stack, session.console, volumes=volumes):
        raise OpsError("nothing was destroyed", "Say yes, or give --yes where nobody can answer.")
    planned_stop.remember(session.stack)
    if volumes:  # the copy that was served as well
        served.forget(session.stack, session.console)


@command({"service": "Only this one; all if empty."}, positional=("service",))
def restart(c: Context, service: str = "") -> None:
    """Restart running services and wait until Odoo can be used."""
    from scripts.stack import lifecycle

    session = open_to_change(c)
    session.stack.require_services(service.split())
    lifecycle.restart(session.stack, session.console, service)


@command(
    {
        "state": "on, off or status.",
        "message": "What visitors are told.",
        "for_": "How long at most, such as 30m, 2h or 1d; if empty, until it is off.",
        "json": JSON,
    },
    positional=("state",),
)
def maintenance(
    c: Context, state: str = "status", message: str = "", for_: str = "", json: bool = False
) -> None:
    """Keep visitors out with a message, until a given time or until it is off."""
    from scripts import maintenance as site

    act = site.requested(state, message, for_)
    looks = state == "status"
    session = open_to_look(c, engine_needed=False) if looks else open_to_change(c)
    found = act(session.stack, session.console)
    session.console.show(found.json, found.lines, as_json=json)
    raise SystemExit(found.differs)


@command({"json": JSON, "yes": YES})
def adopt(c: Context, json: bool = False, yes: bool = False) -> None:
    """Have the platform belong to this folder: after a move, or instead of another; asks."""
    from scripts.stack import engine, identity

    session = open_session(c, yes=yes)
    engine.probe(session.runner)
    line = identity.adopt(session.stack, session.console)
    found = {"project": session.settings.project, "folder": session.settings.root, "result": line}
    session.console.show(found, [line], as_json=json)


@command({"check": "Only show what would change.", "yes": YES, "json": JSON})
def upgrade(c: Context, check: bool = False, yes: bool = False, json: bool = False) -> None:
    """Go on to the version in this folder, as after git pull: backup, start, modules; asks."""
    from scripts import upgrade as upgrading
    from scripts.stack import engine

    session = open_to_change(c, yes=yes)
    engine.probe(session.runner)
    plan = upgrading.plan(session.stack, session.console)
    if check or not json:
        session.console.show(plan, plan.lines, as_json=json)
    if not check:
        lines = upgrading.upgrade(session.stack, session.console, plan)
        session.console.show({"plan": plan, "done": lines}, lines, as_json=json)


TASKS = (quickstart, up, down, restart, maintenance, images_task, upgrade, adopt)
