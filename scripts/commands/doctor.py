"""Look at the host before anything runs."""

from invoke.context import Context

from scripts.commands.help_texts import JSON, YES
from scripts.commands.session import open_session
from scripts.core.errors import of_what_was_reported
from scripts.core.tasklib import command


@command(
    {
        "fix": "Write the recommended sizes that differ into .env (asks).",
        "bundle": "Write a support bundle without secrets: doctor, health, settings, logs.",
        "file": "Name of the bundle; support-TIME.tar.gz in this folder if empty.",
        "lines": "Log lines of each service in the bundle.",
        "yes": YES,
        "json": JSON,
    },
    positional=("file",),
)
def doctor(
    c: Context,
    fix: bool = False,
    bundle: bool = False,
    file: str = "",
    lines: int = 2000,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Check the host, settings and sizes, also without a running engine; exit code 1 if bad."""
    from scripts.doctor import bundle as bundles
    from scripts.doctor import fix as fixes
    from scripts.doctor import report

    session = open_session(c, yes=yes)
    bundles.validate(session.path(file), lines, wanted=bundle)
    found = report.look(session.stack)
    session.console.show(found, found.lines(session.console.paint), as_json=json)
    with of_what_was_reported():
        if fix:
            dry = session.runner.dry
            for line in fixes.fix(session.settings, found.sizes, session.console, dry=dry):
                session.console.note(line)
        if bundle:
            path = bundles.write(session.stack, found, session.path(file), lines)
            session.console.note(f"Wrote {path}, without secrets. Read it before you send it.")
    raise SystemExit(found.failed)


TASKS = (doctor,)
