import contextlib
import json
from unittest.mock import patch

import psycopg2
from odoo import http, sql_db
from odoo.exceptions import UserError
from odoo.tests import HttpCase, tagged
from odoo.tools import config, mute_logger

from .. import refuse_installation


@tagged("post_install", "-at_install")
class TestHttp(HttpCase):
    def rpc(self, service, method, *arguments):
        params = {"service": service, "method": method, "args": list(arguments)}
        return self.post("/jsonrpc", {"params": params}).json()

    def post(self, path, body):
        """As JSON; Odoo 18's url_open has no argument for that."""
        headers = {"Content-Type": "application/json"}
        return self.url_open(path, data=json.dumps(body), headers=headers)

    def test_rpc_serves_the_filter_and_tells_nothing_of_the_others(self):
        with mute_logger("odoo.http"):
            answers = [
                self.rpc("common", "authenticate", name, "admin", "admin", {})
                for name in ("postgres", "template1", "no-such-database")
            ]
        for answer in answers:
            self.assertEqual(answer["error"]["data"]["name"], "odoo.exceptions.AccessDenied")
        self.assertIn("result", self.rpc("common", "version"))

    @contextlib.contextmanager
    def without_postgresql(self):
        error = psycopg2.OperationalError("the server is not there")
        with (
            patch.object(sql_db.Connection, "cursor", side_effect=error),
            patch.object(http.Registry, "__new__", side_effect=error),
            mute_logger("odoo.addons.platform_http.away"),
        ):
            yield

    def test_without_postgresql_nobody_is_logged_out(self):
        self.authenticate("admin", "admin")
        before = dict(http.root.session_store.get(self.session.sid))
        with self.without_postgresql():
            for answer in (
                self.url_open("/odoo", allow_redirects=False),
                self.post("/web/session/get_session_info", {"params": {}}),
            ):
                self.assertEqual(answer.status_code, 503)
                self.assertEqual(answer.headers["Retry-After"], "5")
                self.assertNotIn("session_id", answer.cookies)
            self.assertEqual(self.url_open("/web/health").status_code, 200)
        self.assertEqual(dict(http.root.session_store.get(self.session.sid)), before)

    def test_a_websocket_of_another_site_is_refused_before_the_session_is_read(self):
        headers = {"Upgrade": "websocket", "Connection": "upgrade", "Origin": "https://evil.test"}
        with patch.object(http.root.session_store, "get") as get:
            # Of an answer to such a request, Odoo sends the headers only.
            answer = self.opener.get(self.base_url() + "/websocket", headers=headers, stream=True)
        self.assertEqual(answer.status_code, 403)
        get.assert_not_called()

    def test_nobody_installs_it_in_a_database(self):
        with patch.dict(config.options, {"test_enable": False}), self.assertRaises(UserError):
            refuse_installation(None)
