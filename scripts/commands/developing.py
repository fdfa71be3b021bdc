"""Work on the platform itself."""

import shlex

from invoke.context import Context

from scripts import testing
from scripts.core.tasklib import command, open_session
from scripts.stack.compose import Stack


@command({"require_docker": "Fail where no engine can be had, instead of skipping.",
          "only": "unit, static or e2e; all if empty.",
          "soak": "Run only the tests that repeat one thing many times; they take hours.",
          "jobs": "How many end-to-end tests run side by side, 8 at most; 0: two for each core.",
          "pytest": "More options for pytest, as one string."})  # fmt: skip
def test(c: Context, require_docker: bool = False, only: str = "", soak: bool = False,
         jobs: int = 0, pytest: str = "") -> None:  # fmt: skip
    """Lint, type-check and run the tests; CI=true implies --require-docker."""
    session = open_session(c)
    stack = Stack(session.settings, session.runner)
    required = require_docker or session.settings.ci
    request = testing.Request(required, only, soak, jobs, tuple(shlex.split(pytest)))
    testing.run(stack, session.console, request)


@command()
def lock(c: Context) -> None:
    """Resolve requirements/*.in into lock files with hashes."""
    session = open_session(c)
    testing.lock(session.settings.root, session.runner, session.console)


TASKS = (test, lock)
