"""Server-wide module: puts Odoo's HTTP sessions into Redis as soon as it is loaded."""

import sys

try:
    from . import start
except ImportError as error:
    # Odoo would log this, go on, and keep the sessions in files.
    sys.exit(f"session_redis: {error}; the package python3-redis belongs to Odoo's image")

start.install()
