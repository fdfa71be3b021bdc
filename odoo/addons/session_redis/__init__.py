"""Server-wide module: puts Odoo's HTTP sessions into Redis as soon as it is loaded."""

import logging
import sys

from odoo.exceptions import UserError
from odoo.tools import config

try:
    import odoo_versions

    from . import access_log, start
except Exception as error:
    # Odoo would log this, go on, and keep the sessions in files.
    sys.exit(f"session_redis: {error} (it needs python3-redis, and odoo_versions.py)")


def refuse_installation(env):
    """Called before the module is installed in a database, which only its tests need.

    Whoever did it from Apps could not open the database where the server does not load it.
    """
    if not config["test_enable"]:
        raise UserError("There is nothing to install: server_wide_modules loads session_redis.")


if odoo_versions.is_server_wide("session_redis", config):
    access_log.install()
    start.install()
else:  # too late: sessions are in files already
    logging.getLogger(__name__).warning("session_redis does nothing outside server_wide_modules")
