"""The mail that Odoo sends: whether it can, and one message to see what the server says."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from scripts.core.checks import Check, Finding, Status
from scripts.core.errors import OpsError, UsageError
from scripts.core.mail_settings import ADDRESS
from scripts.core.settings import Settings
from scripts.credentials import value_in
from scripts.stack.compose import Stack

PASSWORD_FILE: Final = "smtp_password.txt"  # noqa: S105 - the name of a file
_PREFIX: Final = "mail-test: "  # see odoo/addons/platform_mail/check.py
_PROGRAM: Final = "from odoo.addons.platform_mail import check\ncheck.main(env, {})\n"
_SECONDS: Final = 180  # Odoo gives a server one minute for each answer
_ROWS: Final = "Settings, Technical, Outgoing Mail Servers in Odoo"
_PASSWORD_HINT: Final = f"Put the password of SMTP_USER into secrets/{PASSWORD_FILE}."
_EXAMPLE: Final = f"# {PASSWORD_FILE}:"
# What may be wrong, by the kind of failure; `{where}` is where the server is named.
_HINTS: Final[Mapping[str, str]] = {
    "login": "Correct user and password in {where}.",
    "sender": "It does not take mail of that sender: {sender}",
    "recipient": "It does not take mail for that address, or does not relay for this machine: a"
    " relay may want a login. See {where}.",
    "unsupported": "Choose an encryption that the server has, and a user only if it has logins,"
    " in {where}.",
    "disconnected": "Often the port is of another encryption: 587 is starttls, 465 ssl. See"
    " {where}.",
    "refused": "The server says why; its log says more.",
    "certificate": "The name has to be that of its certificate; a private authority goes into"
    " SMTP_CA_FILE in .env.",
    "encryption": "Often the port is of another encryption: 587 is starttls, 465 ssl. See {where}.",
    "name": "Correct the host name in {where}.",
    "unreachable": "Correct host and port in {where}. Many providers close port 25; then 587 is"
    " open.",
}
_WHERE: Final[Mapping[str, str]] = {
    "settings": f"SMTP_* in .env and secrets/{PASSWORD_FILE} (afterwards: inv up)",
    "database": _ROWS,
    "configuration": f"SMTP_HOST in .env (afterwards: inv up), or {_ROWS}",
    "catcher": "inv logs mail_catcher",
}


@dataclass(frozen=True)
class Sent:
    """What became of a message: the server, what named it, and its last answer."""

    server: str
    origin: str  # settings, database, configuration or catcher
    name: str  # of the mail server, where the database has named it
    sender: str
    answer: str  # the last of the dialogue; '' if the message was not taken
    kind: str  # of the failure, '' if there is none
    reason: str


def preflight(settings: Settings) -> Check:
    """The check that `inv up` makes: without its password the relay of production is useless."""
    return Check("Mail", lambda: _relay(settings))


def _relay(settings: Settings) -> Finding:
    mail = settings.mail
    if not settings.tls or not mail.host:
        return Finding(Status.OK)
    if mail.ca_file and not (settings.root / mail.ca_file).is_file():
        said = f"SMTP_CA_FILE={mail.ca_file} does not exist"
        return Finding(Status.FAILED, said, "Name the PEM file of the authority in .env.")
    if not mail.user:
        return Finding(Status.OK)
    try:
        value = value_in(settings.secrets_folder / PASSWORD_FILE)
    except (OSError, UnicodeDecodeError) as error:
        said = f"SMTP_USER is set, and secrets/{PASSWORD_FILE} cannot be read"
        return Finding(Status.FAILED, f"{said} ({type(error).__name__})", _PASSWORD_HINT)
    if not value or value.startswith(_EXAMPLE):
        said = f"secrets/{PASSWORD_FILE} holds no password"
        return Finding(Status.FAILED, said, _PASSWORD_HINT)
    return Finding(Status.OK)


def send(stack: Stack, to: str) -> Sent:
    """Send a message to `to` by the server that Odoo uses.

    Raises OpsError with the server's own words where it was not taken.
    """
    if not re.fullmatch(ADDRESS, to):
        raise UsageError(f"{to!r} is no mail address", "inv mail.test --to you@example.com")
    if stack.runner.dry:
        raise UsageError("a message cannot be sent on trial", "inv mail.test without --dry")
    sent = _ask(stack, to)
    if sent.kind:
        raise OpsError(f"{_described(sent)} took no mail: {sent.reason}", _hint(sent))
    return sent


def lines(sent: Sent, settings: Settings) -> list[str]:
    """For people."""
    shown = [f"Server: {_described(sent)}", f"From:   {sent.sender}", f"Answer: {sent.answer}"]
    if sent.origin == "catcher":
        shown.append(f"In development none leaves; it is shown at {settings.mail.page}")
    return shown


def _ask(stack: Stack, to: str) -> Sent:
    program = ["odoo", "shell", "-d", stack.settings.database, "--no-http"]
    script = _PROGRAM.format(repr(to))
    done = stack.exec("odoo", *program, stdin=script, timeout=_SECONDS, changes=True)
    said = [line for line in done.stdout.splitlines() if line.startswith(_PREFIX)]
    if not said:
        raise OpsError(
            f"Odoo cannot be asked to send mail: {done.last_line}", "Is it up? See: inv ps"
        )
    return Sent(**json.loads(said[-1].removeprefix(_PREFIX)))


def _described(sent: Sent) -> str:
    if sent.origin == "database":
        return f"{sent.server} (the mail server {sent.name!r} in Odoo)"
    named = {"settings": "SMTP_* in .env", "configuration": "no server is set; Odoo's default"}
    return f"{sent.server} ({named.get(sent.origin, 'the catcher of development')})"


def _hint(sent: Sent) -> str:
    where = _WHERE[sent.origin]
    sender = "SMTP_FROM in .env (afterwards: inv up), or the domain's addresses in Odoo"
    return _HINTS.get(sent.kind, "inv logs odoo").format(where=where, sender=sender)
