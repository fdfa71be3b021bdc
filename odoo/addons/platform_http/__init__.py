"""Server-wide module: what the platform changes in Odoo's HTTP server, as soon as it is loaded."""

import logging
import sys

from odoo.exceptions import UserError
from odoo.tools import config

try:
    import odoo_versions

    from . import away, databases, direct, origins, pool
except Exception as error:
    # Odoo would log this, go on, and serve every database by RPC.
    sys.exit(f"platform_http: {error}")


def refuse_installation(env):
    """Called before the module is installed in a database, which only its tests need.

    A database with it could not be opened where the server does not load the module.
    """
    if not config["test_enable"]:
        raise UserError("There is nothing to install: server_wide_modules loads platform_http.")


if odoo_versions.is_server_wide("platform_http", config):
    for part in (away, databases, direct, origins, pool):
        part.install()
else:
    logging.getLogger(__name__).warning("platform_http does nothing outside server_wide_modules")
