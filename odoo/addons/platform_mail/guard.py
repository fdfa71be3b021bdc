"""Below Odoo's models: whatever speaks SMTP in this process reaches the catcher only.

Modules may send by smtplib themselves, or open connections in methods of their own. Mailboxes
are not read at all, as that marks or deletes the messages in them.
"""

import imaplib
import logging
import poplib
import smtplib
import socket

from odoo.modules import module

_logger = logging.getLogger(__name__)
REFUSAL = "in development no mailbox is read: its messages belong to the platform in production"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def install(catcher):
    """Put this in the place of what opens connections in Python's own libraries."""
    for kind in (smtplib.SMTP, smtplib.SMTP_SSL):
        kind._get_socket = _getting_socket(kind._get_socket, catcher.address)
    smtplib.SMTP.starttls = _pretending(smtplib.SMTP.starttls, 220)
    smtplib.SMTP.login = _pretending(smtplib.SMTP.login, 235)
    imaplib.IMAP4.open = _refuse
    poplib.POP3._create_socket = _refuse


def _getting_socket(get_socket, address):
    def _get_socket(connection, host, port, timeout):
        # Tests of Odoo's own start a server beside themselves.
        connection.is_caught = not (module.current_test and host in _LOOPBACK)
        if not connection.is_caught:
            return get_socket(connection, host, port, timeout)
        if (host, port) != address:
            _logger.info("mail for %s:%s goes to the catcher", host, port)
        return socket.create_connection(address, timeout, connection.source_address)

    return _get_socket


def _pretending(method, code):
    """The catcher has no certificate and no users: what was asked for counts as done."""

    def pretend(connection, *arguments, **named):
        if getattr(connection, "is_caught", False):
            return code, b"the catcher needs none of that"
        return method(connection, *arguments, **named)

    return pretend


def _refuse(connection, *_, **__):
    raise ConnectionRefusedError(REFUSAL)
