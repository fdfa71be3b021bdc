"""New images and code without a failed request, and back."""

from invoke.collection import Collection
from invoke.context import Context

from scripts.commands.help_texts import JSON
from scripts.commands.session import open_session, open_to_change
from scripts.core.tasklib import command

_DRAIN = 60  # seconds
_DRAIN_HELP = "Seconds for requests under way, before their container is stopped."


@command(
    {
        "code_only": "Changed modules need no update of their data.",
        "force": "Even if nothing has changed.",
        "drain": _DRAIN_HELP,
        "json": JSON,
    },
    name="run",
    default=True,
)
def deploy_run(
    c: Context,
    code_only: bool = False,
    force: bool = False,
    drain: int = _DRAIN,
    json: bool = False,
) -> None:
    """Replace Odoo by what this folder has, one container after the other; back if it fails."""
    from scripts.deploy import deploy

    session = open_to_change(c)
    done = deploy.deploy(
        session.stack, session.console, drain=drain, code_only=code_only, force=force
    )
    session.console.show(done.made, done.lines, as_json=json)


@command({"json": JSON}, name="list")
def deploy_list(c: Context, json: bool = False) -> None:
    """List deployments: when, who, how they ended, from and to."""
    from scripts.deploy import record

    session = open_session(c)
    found = record.known(session.settings)
    session.console.show(found, record.table(found).lines, as_json=json)


@command({"drain": _DRAIN_HELP, "json": JSON}, name="rollback")
def deploy_rollback(c: Context, drain: int = _DRAIN, json: bool = False) -> None:
    """Go back to the image and the code that served before the last deployment."""
    from scripts.deploy import deploy

    session = open_to_change(c)
    done = deploy.roll_back(session.stack, session.console, drain=drain)
    session.console.show(done.made, done.lines, as_json=json)


COLLECTION = Collection("deploy", deploy_run, deploy_list, deploy_rollback)
