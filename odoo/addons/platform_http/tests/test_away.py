from unittest.mock import Mock, patch

import psycopg2
from odoo import http, sql_db
from odoo.exceptions import AccessDenied
from odoo.tests import BaseCase, tagged
from odoo.tools import config

from .. import away


def raised(error):
    """`error` as if it came through odoo.sql_db."""
    try:
        with patch.object(psycopg2, "connect", side_effect=error):
            sql_db.ConnectionPool(1).borrow({"database": "nowhere"})
    except type(error) as caught:
        return caught
    raise AssertionError


def outer(inner, through=ValueError):
    try:
        try:
            raise inner
        except type(inner):
            raise through("something else")  # noqa: B904 - as Odoo does it
    except through as error:
        return error


def coded(code):
    return type("Coded", (psycopg2.OperationalError,), {"pgcode": code})("said")


@tagged("post_install", "-at_install")
class TestAway(BaseCase):
    def test_a_connection_that_cannot_be_opened_or_has_ended_is_an_outage(self):
        for error in (
            psycopg2.OperationalError("server closed the connection unexpectedly"),
            psycopg2.InterfaceError("connection already closed"),
            psycopg2.DatabaseError("error with no message from the libpq"),
            psycopg2.DatabaseError("lost synchronization with server"),
            *map(coded, ("57P01", "57P02", "57P03", "08006", "53300")),
        ):
            self.assertTrue(away.is_outage(raised(error)), error)
            self.assertTrue(away.is_outage(outer(raised(error))), error)

    def test_other_errors_of_postgresql_are_none(self):
        for error in (
            psycopg2.IntegrityError("duplicate key"),
            psycopg2.ProgrammingError("no such column"),
            psycopg2.InterfaceError("Cursor already closed"),
            *map(coded, ("40001", "57014", "55P03", "53100")),
        ):
            self.assertFalse(away.is_outage(raised(error)), error)

    def test_the_connection_of_a_module_to_another_database_is_none(self):
        self.assertFalse(away.is_outage(outer(psycopg2.OperationalError("far away"))))

    def test_a_chain_of_errors_that_leads_back_to_itself_ends(self):
        first, second = ValueError("1"), ValueError("2")
        first.__context__, second.__context__ = second, first
        self.assertFalse(away.is_outage(first))

    def test_a_visitor_who_cannot_be_looked_up_is_not_refused(self):
        denied = outer(raised(psycopg2.OperationalError("gone")), AccessDenied)
        for error in (denied, outer(ValueError("a bug"), AccessDenied)):
            wrapped = away._trying(Mock(side_effect=error))
            expected = away.DatabaseAway if error is denied else AccessDenied
            with patch.object(http, "request", True), self.assertRaises(expected):
                wrapped("func", env="env")
            with patch.object(http, "request", None), self.assertRaises(AccessDenied):
                wrapped("func", env="env")

    def test_a_registry_that_cannot_be_loaded_is_told_from_an_outage(self):
        gone = raised(psycopg2.OperationalError("gone"))
        for cause, visitors, log in (
            (gone, "database", "The database cannot be used, requests get 503: gone"),
            (AttributeError("a bug"), "at the moment", "The registry cannot be loaded, .*: a bug"),
            (psycopg2.ProgrammingError("no column"), "at the moment", "cannot be loaded, .*column"),
        ):
            error = http.RegistryError("Cannot get registry")
            error.__cause__ = cause
            served = away._serving_db(Mock(side_effect=error))
            loud, logged = patch.dict(away._complained, clear=True), self.assertLogs(away._logger)
            with loud, logged as logs, self.assertRaises(away.DatabaseAway) as caught:
                served(self.request())
            self.assertRegex(logs.output[0], log)
            page = caught.exception.get_body()
            self.assertIn(visitors, page)
            self.assertEqual("database" in page, cause is gone)
            self.assertIn('content="5"', page)

    def request(self, **headers):
        request = Mock(db=None)
        request.httprequest.path = "/web/login"
        request.httprequest.environ = {"HTTP_HOST": "localhost"}
        request.httprequest.headers = headers
        return request

    def misses(self, names, list_db=False, **headers):
        before = {name: config[name] for name in ("dbfilter", "list_db")}
        config["dbfilter"], config["list_db"] = "^live", list_db
        try:
            listing = patch.object(away.db, "list_dbs", side_effect=[names])
            with listing, patch.object(away, "_complain"):
                return away._misses_database(self.request(**headers))
        finally:
            for name, value in before.items():
                config[name] = value

    def test_who_finds_no_database_is_asked_to_come_back_where_one_is_served(self):
        self.assertTrue(self.misses(["live", "other"]), "away a moment ago")
        self.assertTrue(self.misses(psycopg2.OperationalError("gone")))
        self.assertTrue(self.misses(["other"]), "the database is gone, and the list is closed")

    def test_who_has_to_choose_or_may_make_one_is_served(self):
        self.assertFalse(self.misses(["live-a", "live-b"]))
        self.assertFalse(self.misses([], list_db=True))
        self.assertFalse(self.misses(["live"], **{"X-Odoo-Database": "other"}))

    def test_the_thread_of_scheduled_actions_outlives_an_outage(self):
        run = Mock(side_effect=[psycopg2.OperationalError("gone"), "stopped"])
        with patch.object(away.time, "sleep"), patch.object(away, "_complain"):
            self.assertEqual(away._running_cron(run)("server", 0), "stopped")
        self.assertEqual(run.call_count, 2)

    def test_the_503_says_when_to_come_back_and_loads_itself_again(self):
        answer = away.DatabaseAway().get_response({})
        self.assertEqual(answer.status_code, 503)
        self.assertEqual(answer.headers["Retry-After"], "5")
        self.assertIn(b'http-equiv="refresh"', answer.get_data())

    def test_what_odoo_calls_is_what_is_wrapped(self):
        for name in ("_serve_db", "_serve_nodb"):
            self.assertEqual(getattr(http.Request, name).__module__, away.__name__)
