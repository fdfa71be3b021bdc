"""Look at the running platform, and into it."""

from invoke.context import Context

from scripts.commands.help_texts import DATABASE, JSON
from scripts.commands.session import open_session, open_to_change, open_to_look
from scripts.core.table import Table
from scripts.core.tasklib import command


@command(
    {
        "only_": "Only these checks, with commas between; all if empty.",
        "strict": "Exit code 1 for warnings as well.",
        "quiet": "Print nothing if all is well.",
        "metrics": "Write the result into this file, too, for Prometheus (NAME.prom).",
        "watch": "Again after so many seconds (5 if none are given), until Ctrl-C.",
        "notify": "Tell these addresses what has changed; if empty, HEALTH_NOTIFY.",
        "ping": "Ask this address after each look, or its /fail; if empty, HEALTH_PING.",
        "schedule": "Look so many minutes apart (5 if none are given), by systemd or cron.",
        "unschedule": "Remove that timer.",
        "json": JSON,
    },
    bare={"watch": 5, "schedule": 5},
)
def health(
    c: Context,
    only_: str = "",
    strict: bool = False,
    quiet: bool = False,
    metrics: str = "",
    watch: int = 0,
    notify: str = "",
    ping: str = "",
    schedule: int = 0,
    unschedule: bool = False,
    json: bool = False,
) -> None:
    """Check services, pages, background work, database, backups and machine."""
    from scripts import checkup
    from scripts import metrics as exposition
    from scripts.health import scheduled
    from scripts.health.notify import Audience

    session = open_to_change(c) if schedule or unschedule else open_session(c)
    if schedule or unschedule:
        alone = not (only_ or strict or metrics or watch)
        line = scheduled.plan(session.stack, schedule, notify, ping, on=not unschedule, alone=alone)
        session.console.show({"result": line}, [line], as_json=json)
        return
    audience = Audience.of(session.stack, notify, ping, only_)
    file, looks = session.path(metrics), checkup.look(session.stack, only_, watch)
    code = 0
    for found in exposition.record(session.stack, looks, exposition.target(file)):
        code = found.exit_code(strict=strict)
        if found.bad or not quiet:
            session.console.clear(watch=bool(watch))
            lines = found.lines(session.console.paint)
            session.console.show(found.document, lines, as_json=json)
        code = audience.hear(found, code, session.console, quiet=quiet)
    raise SystemExit(code)


@command(
    {
        "json": JSON,
        "serve": "As a page on this port (8090 if none is given) of this machine, until Ctrl-C.",
    },
    bare={"serve": 8090},
)
def status(c: Context, json: bool = False, serve: int = 0) -> None:
    """Show on one screen what runs, where, how well, and what needs attention."""
    from scripts.status import look, server

    session = open_session(c)
    if serve:
        server.serve(session.stack, session.console, serve, as_json=json)
    found = look.look(session.stack)
    session.console.show(found.json, found.lines, as_json=json)
    raise SystemExit(not found.known)


@command({"print_": "Only print the address."}, name="open")
def open_task(c: Context, print_: bool = False) -> None:
    """Open the platform in a browser, or print its address where there is none."""
    from scripts import browser

    session = open_session(c)
    url = browser.address(session.stack)
    if print_ or not browser.show(url):
        session.console.say(url)
    else:
        session.console.note(f"Opened {url}")


@command({"json": JSON})
def ps(c: Context, json: bool = False) -> None:
    """List the containers of the platform."""
    session = open_to_look(c)
    services = session.stack.services()
    rows = [[s.service, s.state, s.health, ", ".join(map(str, s.ports))] for s in services]
    table = Table(["service", "state", "health", "ports"], rows)
    session.console.show(table.records, table.lines, as_json=json)


@command(
    {
        "service": "Only this one; all if empty.",
        "tail": "Lines to begin with.",
        "follow": "Keep printing until Ctrl-C.",
    },
    positional=("service",),
    takes_over=True,
)
def logs(c: Context, service: str = "", tail: int = 100, follow: bool = False) -> None:
    """Show the log of one service or of all."""
    session = open_to_look(c)
    session.stack.require_services(service.split())
    session.stack.require_containers(service.split())
    options = ["--tail", str(tail), *(["--follow"] if follow else []), *service.split()]
    session.stack.replace_process("logs", *options)


@command({"service": "Which container."}, positional=("service",), takes_over=True)
def shell(c: Context, service: str = "odoo") -> None:
    """Open a shell in a container."""
    session = open_to_look(c)
    session.stack.require_services([service])
    session.stack.require_running(service)
    terminal = [] if session.console.interactive else ["-T"]
    session.stack.replace_process("exec", *terminal, service, "bash")


@command(
    {"command": "Run this SQL and leave, instead of an interactive session.", "database": DATABASE},
    takes_over=True,
)
def psql(c: Context, command: str = "", database: str = "") -> None:
    """Open psql on Odoo's database, as Odoo's role."""
    from scripts.stack import database_names

    session = open_to_look(c)
    session.stack.require_running("odoo_db")
    database_names.require(session.stack, database, administration=True)
    options = ["-U", session.settings.postgres.role, "-d", database or session.settings.database]
    options += ["--set=ON_ERROR_STOP=1", "--command", command] if command else []
    terminal = [] if session.console.interactive else ["-T"]
    session.stack.replace_process("exec", *terminal, "odoo_db", "psql", *options)


@command({"database": DATABASE}, name="odoo-shell", takes_over=True)
def odoo_shell(c: Context, database: str = "") -> None:
    """Open Odoo's Python shell (`env`) on the database."""
    from scripts.stack import database_names

    session = open_to_look(c)
    session.stack.require_running("odoo")
    database_names.require(session.stack, database)
    terminal = [] if session.console.interactive else ["-T"]
    program = ["odoo", "shell", "-d", database or session.settings.database, "--no-http"]
    session.stack.replace_process("exec", *terminal, "odoo", *program)


TASKS = (status, ps, health, logs, open_task, shell, psql, odoo_shell)
