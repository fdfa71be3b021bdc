"""How many containers of Odoo serve requests in production, and what the others then do.

With replicas, compose.replicas.yaml gives scheduled actions and websockets services of their own.
"""

from dataclasses import replace
from typing import Final

from scripts.core import env_file
from scripts.core.errors import UsageError
from scripts.core.report import Reporter
from scripts.core.settings import Environment
from scripts.core.values import Values
from scripts.stack.compose import Stack

VARIABLE: Final = "ODOO_REPLICAS"
_BOUNDS: Final = (0, 64)


def wanting(stack: Stack, given: str) -> Stack:
    """`stack` with as many replicas as were asked for; as it is where nothing was said.

    Raises UsageError for what is no number, and in development.
    """
    if not given:
        return stack
    values = Values({"--replicas": given})
    count = values.count("--replicas", "0", _BOUNDS)
    if values.problems:
        raise UsageError(values.problems[0], "For example: inv up --replicas 3")
    if count and stack.settings.environment is not Environment.PROD:
        raise UsageError(
            "there are replicas in production only",
            "Development runs one Odoo, with a debugger. For production: inv up --prod",
        )
    return replace(stack, settings=replace(stack.settings, replicas=count))


def keep(stack: Stack, reporter: Reporter, given: str) -> None:
    """Write what was asked for into `.env`, where a later start finds it."""
    if stack.runner.dry or not given:
        return
    values = {VARIABLE: str(stack.settings.replicas or "")}
    for line in env_file.remember(stack.settings.env_file, values):
        reporter.note(f"written to .env: {line}")
