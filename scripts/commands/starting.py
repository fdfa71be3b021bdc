"""Set the platform up, start and stop it."""

from invoke.context import Context

from scripts import credentials
from scripts import quickstart as quick
from scripts.commands.flags import JSON, PROD, YES
from scripts.core import checks
from scripts.core.errors import OpsError
from scripts.core.tasklib import command, open_session
from scripts.stack import engine, images, lifecycle
from scripts.stack import refresh as refreshing
from scripts.stack.compose import Stack
from scripts.supabase import service


@command({"prod": PROD, "yes": YES})
def quickstart(c: Context, prod: bool = False, yes: bool = False) -> None:
    """Bring a bare machine to a healthy Odoo: engine, secrets, images, start."""
    session = open_session(c, prod=prod, yes=yes)
    outcome = quick.run(Stack(session.settings, session.runner), session.console)
    session.console.say(f"\nOdoo:     {outcome.url}\nLogin:    {outcome.login}")
    session.console.say(f"Password: the first one is in {outcome.password_file}")


@command({"check": "Only look; fail if a required secret is missing or weak.", "json": JSON})
def secrets(c: Context, check: bool = False, json: bool = False) -> None:
    """Generate the secrets that are missing; keep the others."""
    session = open_session(c)
    folder = session.settings.secrets_folder
    reports = (
        credentials.inspect(folder) if check or session.runner.dry else credentials.ensure(folder)
    )
    rows = [[f"secrets/{r.path.name}", r.state, r.problem or r.purpose] for r in reports]
    session.console.rows(["file", "state", "purpose"], rows, as_json=json)
    if check:
        checks.require(checks.run_all([credentials.preflight(folder)]), "the secrets are not ready")


@command({"refresh": "Also those that are there, for the fixes that came out since.",
          "json": JSON}, name="images")  # fmt: skip
def images_task(c: Context, refresh: bool = False, json: bool = False) -> None:
    """Pull or build every image that is missing or out of date."""
    session = open_session(c)
    stack = Stack(session.settings, session.runner)
    engine.probe(session.runner)
    if refresh:
        refreshing.refresh(stack, session.console)
    else:
        images.ensure(stack, session.console, images.BACKUP)
    rows, advice = refreshing.listing(Stack(open_session(c).settings, session.runner))
    session.console.rows(["variable", "image", "id", "made"], rows, as_json=json)
    if advice:
        session.console.note(advice)


@command({
    "prod": PROD,
    "supabase": "The local Supabase, too, with its migrations (dev only).",
    "debug": "Let a debugger attach to Odoo, on this machine (dev only).",
})  # fmt: skip
def up(c: Context, prod: bool = False, supabase: bool = False, debug: bool = False) -> None:
    """Start the platform and wait until the login page is served."""
    session = open_session(c, prod=prod, debug=debug)
    stack = Stack(session.settings, session.runner)
    preflight = quick.preflight(session.settings, supabase=supabase)
    quick.prepare(stack, session.console)
    lifecycle.up(stack, session.console, preflight)
    session.console.say(f"Odoo: {session.settings.url}")
    if supabase:
        session.console.say(f"PostgREST: {service.up(stack, session.console)}")


@command({"volumes": "Destroy database, files and sessions too; asks first.", "yes": YES})
def down(c: Context, volumes: bool = False, yes: bool = False) -> None:
    """Stop the platform and remove its containers."""
    session = open_session(c, yes=yes)
    stack = Stack(session.settings, session.runner)
    if not lifecycle.down(stack, session.console, volumes=volumes):
        raise OpsError("nothing was destroyed", "Say yes, or give --yes where nobody can answer.")


@command({"service": "Only this one; all if empty."})
def restart(c: Context, service: str = "") -> None:
    """Restart running services and wait until Odoo can be used."""
    session = open_session(c)
    lifecycle.restart(Stack(session.settings, session.runner), session.console, service)


TASKS = (quickstart, secrets, up, down, restart, images_task)
