"""Answers 503 while PostgreSQL is away, where Odoo would log the visitor out.

Odoo takes a registry that it cannot open for a database that is gone: it ends the session and
leads to the list of databases. After a restart of PostgreSQL everybody would log in again.
"""

import logging
import time
import traceback

import psycopg2
from odoo import http, sql_db
from odoo.service import db, model
from odoo.service.server import ThreadedServer
from odoo.tools import config
from psycopg2.pool import PoolError
from werkzeug.exceptions import ServiceUnavailable

_logger = logging.getLogger(__name__)
_HEALTH = "/web/health"  # for the health check of the container, which wants no database
_RETRY_SECONDS = 5
_QUIET_SECONDS = 60
_LOST = ("08", "57P01", "57P02", "57P03", "53300")  # connections ended, refused or too many
_AWAY = "The database is being restarted."
_CLOSED = "This site cannot be opened at the moment."
_PAGE = f"""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="{_RETRY_SECONDS}">
<title>Back in a moment</title>
<body style="margin: 20vh auto; max-width: 32rem; font: 1.1rem/1.5 sans-serif; text-align: center">
<h1>Back in a moment</h1>
<p>%s There is nothing you have to do: this page tries again by itself every few seconds.</p>
"""


class DatabaseAway(ServiceUnavailable, PoolError):  # noqa: N818 - as werkzeug names them
    """503 for HTTP; for a websocket, which knows PoolError, 'try again later'."""

    def __init__(self, reason=_AWAY):
        super().__init__("The database cannot be reached.", retry_after=_RETRY_SECONDS)
        self.reason = reason  # for visitors
        # Otherwise a JSON-RPC route would make a reply with status 200 of it.
        self.error_response = self

    def get_body(self, *_, **__):
        return _PAGE % self.reason

    def get_headers(self, *arguments, **named):
        return [*super().get_headers(*arguments, **named), ("Cache-Control", "no-store")]


def install():
    """Put this around what serves a request, and around the scheduled actions' thread."""
    http.Request._serve_db = _serving_db(http.Request._serve_db)
    http.Request._serve_nodb = _serving_nodb(http.Request._serve_nodb)
    model.retrying = _trying(model.retrying)
    ThreadedServer.cron_thread = _running_cron(ThreadedServer.cron_thread)


def _serving_db(serve_db):
    def _serve_db(request):
        try:
            return serve_db(request)
        except Exception as error:
            if request.httprequest.path == _HEALTH:
                raise  # Odoo answers without the database, and does not save the session
            unloaded = isinstance(error, http.RegistryError)
            if is_outage(error):
                _complain(error.__cause__ if unloaded else error)
                raise DatabaseAway from error
            if not unloaded:
                raise
            # A module is broken, or not updated: the log must not lead to the database.
            _complain(error.__cause__ or error, "The registry cannot be loaded")
            raise DatabaseAway(_CLOSED) from error

    return _serve_db


def _trying(retrying):
    """Where a request is handled: later, AccessDenied no longer tells what led to it.

    Odoo makes one of whatever happens while it looks who the visitor is.
    """

    def _retrying(func, env):
        try:
            return retrying(func, env)
        except Exception as error:
            if http.request and is_outage(error):
                raise DatabaseAway from error
            raise

    return _retrying


def _serving_nodb(serve_nodb):
    def _serve_nodb(request):
        if request.httprequest.path != _HEALTH and not request.db and _misses_database(request):
            raise DatabaseAway
        return serve_nodb(request)

    return _serve_nodb


def _misses_database(request):
    """Whether this request should have had a database, and found none.

    One that is there now was away when Odoo looked; and where the list of databases is closed
    there is nothing to be done without any.
    """
    try:
        names = db.list_dbs(force=True)
    except psycopg2.Error as error:
        _complain(error)
        return True
    served = http.db_filter(names, host=request.httprequest.environ["HTTP_HOST"])
    if request.httprequest.headers.get("X-Odoo-Database"):  # Odoo 19: refused by the filter
        return False
    return len(served) == 1 or (not served and not config["list_db"])


def _running_cron(cron_thread):
    def patient(server, number):
        while True:
            try:
                return cron_thread(server, number)
            except psycopg2.Error as error:  # would end the thread, and with it all scheduled work
                _complain(error)
                time.sleep(_RETRY_SECONDS)

    return patient


def is_outage(error):
    """Whether `error`, or what led to it, is a connection of Odoo's own to PostgreSQL that ended.

    A module may have connections to other databases: those do not come through odoo.sql_db.
    """
    seen = []
    while error is not None and error not in seen:
        if _is_lost(error) and _comes_from(error, sql_db.db_connect):
            return True
        seen.append(error)
        error = error.__cause__ or error.__context__
    return False


def _is_lost(error):
    if isinstance(error, psycopg2.InterfaceError):
        return "connection already closed" in str(error)
    if isinstance(error, psycopg2.OperationalError):
        # Without a code: it could not be opened, or ended without a word.
        return not error.pgcode or error.pgcode.startswith(_LOST)
    # Of libpq itself, without a code of the server's: the other side is gone, at times in the
    # middle of an answer.
    return type(error) is psycopg2.DatabaseError and not error.pgcode


def _comes_from(error, function):
    """Whether it was raised below the file of `function`."""
    path = function.__code__.co_filename
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code.co_filename == path for frame, _ in frames)


_complained = {}  # when, by what


def _complain(error, what="The database cannot be used"):
    """One line a minute and process; the traceback where it is more than an outage."""
    if time.monotonic() - _complained.get(what, float("-inf")) < _QUIET_SECONDS:
        return
    _complained[what] = time.monotonic()
    known = isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError)
    said = str(error).strip().splitlines()[:1]
    _logger.error(
        "%s, requests get 503: %s",
        what,
        said[0] if said else type(error).__name__,
        exc_info=None if known else error,
    )
