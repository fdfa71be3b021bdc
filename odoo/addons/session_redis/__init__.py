"""Server-wide module: puts Odoo's HTTP sessions into Redis as soon as it is loaded."""

import logging
import sys

from odoo.exceptions import UserError
from odoo.tools import config

try:
    from . import access_log, start
except Exception as error:
    # Odoo would log this, go on, and keep the sessions in files.
    sys.exit(f"session_redis: {error}; the package python3-redis belongs to Odoo's image")


def refuse_installation(env):
    """Called before the module is installed in a database, which only its tests need.

    Whoever did it from Apps could not open the database where the server does not load it.
    """
    if not config["test_enable"]:
        raise UserError("There is nothing to install: server_wide_modules loads session_redis.")


named = config["server_wide_modules"]  # a text in Odoo 18, a list in 19
if "session_redis" in (named.replace(" ", "").split(",") if isinstance(named, str) else named):
    access_log.install()
    start.install()
else:  # too late: sessions are in files already
    logging.getLogger(__name__).warning("session_redis does nothing outside server_wide_modules")
