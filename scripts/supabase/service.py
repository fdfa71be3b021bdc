"""The local Supabase as a whole: starting, looking, starting over."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from scripts import credentials
from scripts.core import http
from scripts.core.checks import Check, Finding, require, run_all
from scripts.core.errors import OpsError, UsageError
from scripts.core.report import Reporter
from scripts.core.settings import EVERYWHERE, Settings
from scripts.core.table import Table
from scripts.stack import engine, images, permissions, readiness
from scripts.stack.compose import Stack
from scripts.supabase import keys, migrations
from scripts.supabase.database import PROFILE, SERVICE, Database, Target

POSTGREST: Final = "postgrest"
_VOLUME: Final = "supabase_db_data"
_NO_PULL: Final = ("--pull", "never")
_HEADER: Final = ("what", "state")


@dataclass(frozen=True)
class Line:
    """One thing and how it is."""

    what: str
    state: str
    good: bool = True


def postgrest_url(settings: Settings) -> str:
    """Where this machine reaches PostgREST."""
    anywhere = settings.postgrest_bind in (EVERYWHERE, "127.0.0.1", "::")
    host = "127.0.0.1" if anywhere else settings.postgrest_bind
    return f"http://{host}:{settings.postgrest_port}"


def preflight(settings: Settings) -> list[Check]:
    """What can be known to fail before anything is started; raises UsageError in production."""
    if settings.tls:
        hint = "Production uses Supabase Cloud: inv supabase.migrate --target cloud"
        raise UsageError("the local Supabase is for development only", hint)

    def probe() -> Finding:
        keys.secret(settings.secrets_folder)
        return credentials.exists(settings.secrets_folder, "supabase_db_password")

    return [
        Check("Supabase", probe),
        Check("Files", lambda: permissions.finding(settings.root, permissions.SUPABASE)),
    ]


def up(stack: Stack, reporter: Reporter) -> str:
    """Start database and PostgREST and apply the migrations; returns PostgREST's address.

    Raises OpsError that says what runs and what does not where PostgREST's image
    cannot be had.
    """
    require(run_all(preflight(stack.settings)), "the local Supabase was not started")
    with reporter.step("Starting supabase_db"):
        readiness.start(stack, *_NO_PULL, SERVICE)
    if stack.runner.dry:
        return postgrest_url(stack.settings)
    migrations.migrate(Database(stack, Target.LOCAL), reporter)
    images.ensure_postgrest(stack, reporter)
    with reporter.step("Starting PostgREST"):
        readiness.start(stack, *_NO_PULL, "--no-deps", POSTGREST)  # its database answers
    return postgrest_url(stack.settings)


def reset(stack: Stack, reporter: Reporter) -> None:
    """Destroy the local database and make it again, empty but for the migrations; asks."""
    engine.probe(stack.runner)
    require(run_all(preflight(stack.settings)), "nothing was destroyed")
    question = "This destroys the local Supabase's database for good. Continue?"
    if not reporter.confirm(question, unattended=False):
        raise OpsError("nothing was destroyed", "Say yes, or give --yes where nobody can answer.")
    volume = f"{stack.settings.project}_{_VOLUME}"
    with reporter.step("Destroying the database"):
        remove = ["rm", "--stop", "--force", POSTGREST, SERVICE]
        stack.run(*PROFILE, *remove, timeout=180, changes=True)
        if volume in stack.volumes():
            stack.runner.run(["docker", "volume", "rm", volume], timeout=60, changes=True)
    up(stack, reporter)


def status(stack: Stack, target: Target) -> list[Line]:
    """What runs, and which migrations the database has; raises OpsError if it is away."""
    lines = [] if target is Target.CLOUD else _containers(stack)
    books = migrations.state(Database(stack, target))
    pending = ", ".join(m.path.name for m in books.pending) or "none"
    lines.append(Line("migrations applied", str(len(books.applied))))
    lines.append(Line("migrations pending", pending, not books.pending))
    if books.unknown:
        lines.append(Line("applied from elsewhere", ", ".join(books.unknown)))
    return lines


def _containers(stack: Stack) -> list[Line]:
    there = {service.service: service for service in stack.services()}
    lines = []
    for name in (SERVICE, POSTGREST):
        found = there.get(name)
        works = found is not None and readiness.answers(stack, name)
        state = found.state if found else "not started"
        lines.append(Line(name, "healthy" if works else state, works))
    if not lines[0].good:
        raise OpsError(f"{SERVICE} is {lines[0].state}", "Start it: inv up --supabase")
    lines.append(_rest(stack))
    return lines


def _rest(stack: Stack) -> Line:
    url = postgrest_url(stack.settings)
    try:
        reply = http.get(url + "/", timeout=5)
    except OpsError as error:
        return Line(url, error.message, good=False)
    return Line(url, f"answers with status {reply.status}", reply.status < 500)


def table(lines: list[Line]) -> Table:
    """A row for each."""
    return Table(_HEADER, [[line.what, line.state] for line in lines])


def key_lines(made: list[keys.Key], *, show: bool) -> list[str]:
    """The keys for people; the tokens themselves only with `show`."""
    return [
        f"{key.role}, until {datetime.fromtimestamp(key.expires, UTC):%Y-%m-%d}:"
        f" {key.token if show else '--show'}"
        for key in made
    ]


def key_records(made: list[keys.Key], *, show: bool) -> list[dict[str, Any]]:
    """The keys for machines; the tokens themselves only with `show`."""
    return [
        {"role": k.role, "expires": k.expires, **({"token": k.token} if show else {})} for k in made
    ]
