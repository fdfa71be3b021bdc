"""Server-wide module: stores attachments whole or not at all, from the moment it is loaded."""

import logging
import sys

from odoo.tools import config

try:
    from . import store
except Exception as error:
    # Odoo would log this, go on, and commit rows whose files could not be written.
    sys.exit(f"platform_files: {error}")

named = config["server_wide_modules"]  # a text in Odoo 18, a list in 19
if "platform_files" in (named.replace(" ", "").split(",") if isinstance(named, str) else named):
    store.install()
else:
    logging.getLogger(__name__).warning("platform_files does nothing outside server_wide_modules")
