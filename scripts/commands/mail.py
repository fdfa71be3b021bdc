"""The mail that Odoo sends."""

from invoke.collection import Collection
from invoke.context import Context

from scripts.commands.help_texts import JSON
from scripts.commands.session import open_to_change
from scripts.core.tasklib import command


@command({"to": "The address that gets it.", "json": JSON}, name="test")
def mail_test(c: Context, to: str, json: bool = False) -> None:
    """Send one message by the server that Odoo uses, and show its answer."""
    from scripts import mail

    session = open_to_change(c)
    sent = mail.send(session.stack, to)
    session.console.show(sent, mail.lines(sent, session.settings), as_json=json)


COLLECTION = Collection("mail", mail_test)
