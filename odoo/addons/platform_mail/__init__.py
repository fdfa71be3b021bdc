"""Server-wide module: where mail goes, and whether mailboxes are read."""

import logging
import sys

from odoo.tools import config

try:
    import odoo_versions

    from . import guard, incoming, outgoing, settings

    catcher, relay = settings.catcher(), settings.relay()
except Exception as error:
    # Odoo would log this, go on, and send the mail of a copy to customers.
    sys.exit(f"platform_mail: {error}")

_logger = logging.getLogger(__name__)

if not odoo_versions.is_server_wide("platform_mail", config):
    _logger.warning("platform_mail does nothing outside server_wide_modules")
elif catcher:
    guard.install(catcher)
    outgoing.install(catcher)
    incoming.install()
    _logger.info("Development: all mail goes to %s:%s, and no mailbox is read", *catcher.address)
elif relay:
    outgoing.install(relay)
    settings.set_sender(config)
    _logger.info("Mail goes by %s:%s where the database names no server", *relay.address)
