"""Work on the platform itself."""

from invoke.context import Context

from scripts.commands.session import open_session
from scripts.core.tasklib import command


@command(
    {
        "require_docker": "Fail where no engine can be had, instead of skipping.",
        "only": "unit, static or e2e; all if empty.",
        "odoo_package": "A Debian package or checkout of the Odoo that they run on.",
        "extended": "Run also the tests marked so: variants of what another test shows once.",
        "soak": "Run only the tests that repeat one thing many times; they take hours.",
        "jobs": "How many end-to-end tests run side by side, 8 at most; 0: two for each core.",
        "pytest": "More options for pytest, as one string.",
    },
    takes_over=True,
)
def test(
    c: Context,
    require_docker: bool = False,
    only: str = "",
    extended: bool = False,
    soak: bool = False,
    jobs: int = 0,
    odoo_package: str = "",
    pytest: str = "",
) -> None:
    """Lint, type-check and run the tests; CI=true implies --require-docker."""
    from scripts import testing

    session = open_session(c)
    required = require_docker or session.settings.ci
    package = session.path(odoo_package) or testing.package_of_this_machine(
        session.settings, session.console
    )
    words = testing.options(pytest)
    request = testing.Request(required, only, extended, soak, package, jobs, words)
    testing.run(session.stack, session.console, request)


@command()
def lock(c: Context) -> None:
    """Resolve requirements/*.in into lock files with hashes."""
    from scripts import testing

    session = open_session(c)
    testing.lock(session.settings.root, session.runner, session.console)


TASKS = (test, lock)
