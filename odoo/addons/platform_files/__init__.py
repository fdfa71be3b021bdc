"""Server-wide module: stores attachments whole or not at all, from the moment it is loaded."""

import logging
import sys

from odoo.tools import config

try:
    import odoo_versions

    from . import store
except Exception as error:
    # Odoo would log this, go on, and commit rows whose files could not be written.
    sys.exit(f"platform_files: {error}")

if odoo_versions.is_server_wide("platform_files", config):
    store.install()
else:
    logging.getLogger(__name__).warning("platform_files does nothing outside server_wide_modules")
