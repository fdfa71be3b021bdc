"""Look at the settings."""

from dataclasses import asdict

from invoke.context import Context

from scripts.commands.help_texts import JSON
from scripts.commands.session import open_session
from scripts.core.console import Console
from scripts.core.errors import EXIT_USAGE
from scripts.core.settings import ROOT
from scripts.core.table import Table
from scripts.core.tasklib import command


@command(
    {
        "check": "Only say what is wrong; exit code 2 if something has to be corrected.",
        "prod": "As they are in production.",
        "json": JSON,
    }
)
def config(c: Context, check: bool = False, prod: bool = False, json: bool = False) -> None:
    """Show every setting with its value and where that comes from; secrets are left out."""
    from scripts.core import configuration

    if check:
        report = configuration.examine(ROOT, prod=prod)
        Console.standard().show(asdict(report), report.lines, as_json=json)
        raise SystemExit(EXIT_USAGE if report.errors else 0)
    session = open_session(c, prod=prod)
    rows = [[v.name, v.value, v.source] for v in configuration.variables(session.settings)]
    table = Table(["variable", "value", "source"], rows)
    session.console.show(table.records, table.lines, as_json=json)


TASKS = (config,)
