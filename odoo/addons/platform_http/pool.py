"""Lets the websocket server wait for a connection instead of answering 500.

It serves hundreds of visitors at once with the few connections of `db_maxconn_gevent`, each for
some milliseconds. Odoo raises PoolError as soon as all of them are in use: when everybody comes
back after a restart, most were refused.
"""

import random
import time

import odoo
from odoo import sql_db
from psycopg2.pool import PoolError

_POOL_TIMEOUT = 30
_PAUSES = (0.02, 0.1)


def install():
    """Only in the process for websockets: there time.sleep lets the other greenlets work."""
    if getattr(odoo, "evented", False):
        sql_db.ConnectionPool.borrow = patient(sql_db.ConnectionPool.borrow)


def patient(borrow, seconds=_POOL_TIMEOUT):
    """`borrow` that tries again while the pool is full, for `seconds` at most."""

    def waiting(pool, connection_info):
        deadline = time.monotonic() + seconds
        while True:
            try:
                return borrow(pool, connection_info)
            except PoolError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(random.uniform(*_PAUSES))

    return waiting
