"""The server to which Odoo connects in order to send.

Odoo takes the row of ir.mail_server that fits the sender, and only where there is none what its
configuration names. That knows no encryption from the first byte and checks no certificate.
"""

import functools
import inspect
import ssl

import odoo_versions


def install(server):
    """Have Odoo send by `server`: always if it is the catcher, else where no row fits."""
    model, name = odoo_versions.mail_server_class(), odoo_versions.mail_connect()
    setattr(model, name, _connecting(getattr(model, name), server))


def _connecting(connect, server):
    signature = inspect.signature(connect)

    @functools.wraps(connect)
    def connecting(self, *arguments, **named):
        if not odoo_versions.sends_mail(self):  # in tests
            return connect(self, *arguments, **named)
        asked = signature.bind(self, *arguments, **named).arguments
        row, sender = _choose(self, asked)
        ours = not asked.get("host") and (not row or row.smtp_authentication == "cli")
        if server.is_catcher or ours:
            return _open(self, server, row, sender)
        return connect(self, *arguments, **named)

    return connecting


def _choose(servers, asked):
    """The row that Odoo would use, or None, and the sender that goes with it."""
    sender = asked.get("smtp_from")
    if identity := asked.get("mail_server_id"):
        row = servers.sudo().browse(identity)
        odoo_versions.check_mail_server(row, asked.get("allow_archived", False), sender)
        return row, sender
    if asked.get("host"):
        return None, sender
    return servers.sudo()._find_mail_server(sender)


def _open(servers, server, row, sender):
    """A connection that Odoo can send by; raises what smtplib does."""
    context = None
    if server.encryption != "none":
        context = ssl.create_default_context(cafile=server.ca_file or None)
    connection = odoo_versions.smtp_connection(server.address, server.encryption, context)
    if server.encryption == "starttls":
        connection.starttls(context=context)
    if server.user:
        connection.login(server.user, server.password())
    connection.ehlo_or_helo_if_needed()
    # By these Odoo decides on the header From and on the sender of the envelope.
    connection.from_filter = row.from_filter if row else servers._get_default_from_filter()
    connection.smtp_from = sender
    return connection
