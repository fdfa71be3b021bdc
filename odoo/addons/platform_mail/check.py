"""Sends one message as Odoo would, and tells what the server said; for `inv mail.test`.

Run in Odoo's shell, which has `env`: `from odoo.addons.platform_mail import check`.
"""

import json
import smtplib
import socket
import ssl
import sys

import odoo_versions
from odoo.tools import config

from . import catcher, relay

PREFIX = "mail-test: "  # of the line that scripts/mail.py reads
_SUBJECT = "Test of the mail server"
_BODY = "Sent by `inv mail.test`, by the server that Odoo uses for its mail.\n"
# The first that fits names the kind of a failure.
_KINDS = (
    (smtplib.SMTPAuthenticationError, "login"),
    (smtplib.SMTPSenderRefused, "sender"),
    (smtplib.SMTPRecipientsRefused, "recipient"),
    (smtplib.SMTPNotSupportedError, "unsupported"),
    (smtplib.SMTPServerDisconnected, "disconnected"),
    (smtplib.SMTPException, "refused"),
    (ssl.SSLCertVerificationError, "certificate"),
    (ssl.SSLError, "encryption"),
    (socket.gaierror, "name"),
    (OSError, "unreachable"),
)


def main(env, to):
    """Print one line for the host."""
    sys.stdout.write(PREFIX + json.dumps(send(env, to)) + "\n")
    sys.stdout.flush()


def send(env, to):
    """Send a message to `to`: the server, the sender, the last answer, and what went wrong."""
    servers = env["ir.mail_server"].sudo()
    sender = servers._get_default_from_address() or env.company.email or env.user.email
    row, _ = servers._find_mail_server(sender)
    found = {**_server(row), "sender": sender, "answer": "", "kind": "", "reason": ""}
    replies = []
    receive = smtplib.SMTP.getreply

    def recording(connection):
        reply = receive(connection)
        replies.append(_text(*reply))
        return reply

    smtplib.SMTP.getreply = recording
    try:
        session = getattr(servers, odoo_versions.mail_connect())(smtp_from=sender)
        build = getattr(servers, odoo_versions.mail_build())
        message = build(sender, [to], _SUBJECT, _BODY)
        servers.send_email(message, smtp_session=session)
        found["answer"] = replies[-1]
        session.quit()
    except Exception as error:
        found["kind"], found["reason"] = _explain(error)
    finally:
        smtplib.SMTP.getreply = receive
    return found


def _server(row):
    """Which server Odoo would use, and what named it."""
    if catcher:
        origin, address = "catcher", catcher.address
    elif row and row.smtp_authentication != "cli":
        origin, address = "database", (row.smtp_host, row.smtp_port)
    elif relay:
        origin, address = "settings", relay.address
    else:
        origin, address = "configuration", (config["smtp_server"], config["smtp_port"])
    name = row.name if origin == "database" else ""
    return {"origin": origin, "server": "{}:{}".format(*address), "name": name}


def _explain(error):
    """The kind of the failure and what was said, of the exception that led to `error`."""
    seen = error
    while seen and not isinstance(seen, smtplib.SMTPException | OSError):
        seen = seen.__cause__ or seen.__context__
    if not seen:
        return "odoo", str(error)
    kind = next(kind for what, kind in _KINDS if isinstance(seen, what))
    if isinstance(seen, smtplib.SMTPRecipientsRefused):
        return kind, _text(*next(iter(seen.recipients.values())))
    if isinstance(seen, smtplib.SMTPResponseException):
        return kind, _text(seen.smtp_code, seen.smtp_error)
    return kind, str(seen) or type(seen).__name__


def _text(code, said):
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return f"{code} {' '.join(text.split())}"
