import threading
from unittest.mock import Mock, patch

from odoo.exceptions import AccessDenied
from odoo.tests import BaseCase, tagged
from odoo.tools import config

from .. import databases


@tagged("post_install", "-at_install")
class TestDatabases(BaseCase):
    def setUp(self):
        super().setUp()
        options = {"dbfilter": "^live$", "list_db": False}
        for name, value in options.items():
            self.patch_option(name, value)
        self.dispatch = Mock(return_value="served")

    def patch_option(self, name, value):
        before = config[name]
        config[name] = value
        self.addCleanup(config.__setitem__, name, before)

    def refused(self, wrapped, method, params):
        with self.assertRaises(AccessDenied):
            wrapped(self.dispatch)(method, params)
        self.dispatch.assert_not_called()

    def test_the_database_of_the_filter_is_served(self):
        for wrapped, method in (
            (databases._common, "authenticate"),
            (databases._common, "login"),
            (databases._model, "execute_kw"),
        ):
            self.assertEqual(wrapped(self.dispatch)(method, ["live", "x"]), "served")

    def test_any_other_is_refused_and_so_is_what_is_no_name(self):
        for name in ("staging", "live__before", "live__restoring", "", None, 1, ["live"], b"live"):
            self.refused(databases._common, "authenticate", [name, "admin", "x", {}])
            self.refused(databases._model, "execute", [name, 2, "x", "res.users", "read"])
        for params in ([], {}, {"0": "live"}, None):
            self.refused(databases._model, "execute_kw", params)

    def test_what_needs_no_database_is_served_without(self):
        for method in ("version", "about"):
            self.assertEqual(databases._common(self.dispatch)(method, []), "served")

    def test_what_a_module_may_add_to_the_service_common_is_checked_too(self):
        self.refused(databases._common, "authenticate_by_token", ["staging", "x"])

    def test_the_service_db_is_closed_with_the_list_of_databases(self):
        for method in ("db_exist", "list", "server_version", "dump"):
            self.refused(databases._db, method, ["live"])
        self.patch_option("list_db", True)
        self.assertEqual(databases._db(self.dispatch)("db_exist", ["live"]), "served")

    def test_a_filter_by_host_asks_for_the_host_of_the_request(self):
        self.patch_option("dbfilter", "^%d$")
        thread = threading.current_thread()
        check = databases._model(self.dispatch)
        with patch.object(thread, "url", "https://live.example.com/jsonrpc", create=True):
            self.assertEqual(check("execute_kw", ["live"]), "served")
        with (
            patch.object(thread, "url", "https://shop.example.com/jsonrpc", create=True),
            self.assertRaises(AccessDenied),
        ):
            check("execute_kw", ["live"])
