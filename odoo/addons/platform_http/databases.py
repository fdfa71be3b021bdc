"""Keeps JSON-RPC and XML-RPC to the databases that dbfilter (or --database) lets through.

Odoo itself asks the filter for pages and sessions only: by RPC any database of PostgreSQL
can be named, a copy, a snapshot or one that is being restored.
"""

import threading
from urllib.parse import urlsplit

from odoo import http
from odoo.exceptions import AccessDenied
from odoo.service import common, db, model
from odoo.tools import config

_WITHOUT_DATABASE = {"version", "about", "set_loglevel"}  # of the service common


def install():
    """Put a check before each of the three services, where http.dispatch_rpc finds them."""
    common.dispatch = _common(common.dispatch)
    db.dispatch = _db(db.dispatch)
    model.dispatch = _model(model.dispatch)


def _common(dispatch):
    def checked(method, params):
        if method not in _WITHOUT_DATABASE:
            _check(params)
        return dispatch(method, params)

    return checked


def _model(dispatch):
    def checked(method, params):
        _check(params)
        return dispatch(method, params)

    return checked


def _db(dispatch):
    def checked(method, params):
        if not config["list_db"]:  # `db_exist` would go on to tell which databases there are
            raise AccessDenied()
        return dispatch(method, params)

    return checked


def _check(params):
    """Raise AccessDenied unless the first of `params` is a database that the filter lets through.

    PostgreSQL is not asked: the answer is the same whether such a database exists or not.
    """
    name = params[0] if isinstance(params, list | tuple) and params else None
    if not isinstance(name, str) or not http.db_filter([name], host=_host()):
        raise AccessDenied()


def _host():
    """The Host of the request at hand, which http.dispatch_rpc has put aside by now."""
    return urlsplit(getattr(threading.current_thread(), "url", "")).netloc
