from unittest.mock import patch

import redis
from odoo import http
from odoo.tests import HttpCase, tagged


@tagged("post_install", "-at_install")
class TestHttp(HttpCase):
    def setUp(self):
        super().setUp()
        self.store = http.root.session_store
        self.addCleanup(setattr, self.store, "_rests_until", 0)
        self.authenticate("admin", "admin")

    def info(self):
        headers = {"Content-Type": "application/json"}
        return self.url_open("/web/session/get_session_info", '{"params": {}}', headers=headers)

    def without_redis(self):
        error = redis.ConnectionError("gone")
        return patch.object(redis.Connection, "read_response", side_effect=error)

    def test_a_login_is_found_in_redis_and_gone_after_the_logout(self):
        key = self.store.settings.key(self.session.sid)
        self.assertEqual(self.info().json()["result"]["uid"], self.session.uid)
        self.assertTrue(self.store.client.exists(key))
        self.url_open("/web/session/logout", allow_redirects=False)
        self.assertFalse(self.store.client.exists(key))

    def test_without_redis_sessions_get_503_and_the_rest_is_served(self):
        with self.assertLogs("odoo.addons.session_redis.store", "ERROR"), self.without_redis():
            answer = self.info()
            self.assertEqual((answer.status_code, answer.headers["Retry-After"]), (503, "5"))
            self.assertEqual(self.url_open("/web/health").status_code, 200)
            self.assertEqual(self.url_open("/web/static/img/favicon.ico").status_code, 200)
        self.store._rests_until = 0
        self.assertEqual(self.info().json()["result"]["uid"], self.session.uid)

    def test_a_revoked_device_is_out_at_its_next_request(self):
        self.store.delete_from_identifiers([self.session.sid[:42]])
        self.assertEqual(self.info().json()["error"]["code"], 100)
