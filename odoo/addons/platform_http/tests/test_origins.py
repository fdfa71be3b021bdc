from odoo.tests import BaseCase, tagged

from ..origins import is_foreign


@tagged("post_install", "-at_install")
class TestOrigins(BaseCase):
    def test_pages_of_this_site(self):
        for origin, host in (
            ("https://odoo.test", "odoo.test"),
            ("https://odoo.test:443", "odoo.test"),
            ("https://odoo.test", "odoo.test:443"),
            ("http://odoo.test", "odoo.test:80"),
            ("https://odoo.test:8443", "odoo.test:8443"),
            ("https://ODOO.test", "odoo.TEST"),
            ("http://localhost:8069", "localhost:8069"),
            ("http://[::1]:8069", "[::1]:8069"),
            ("https://odoo.test", "odoo.test:8443"),  # Nginx compares ports
            (None, "odoo.test"),  # Odoo itself answers 400
        ):
            self.assertFalse(is_foreign(origin, host), (origin, host))

    def test_pages_of_others(self):
        for origin, host in (
            ("https://evil.test", "odoo.test"),
            ("https://odoo.test.evil.test", "odoo.test"),
            ("https://evil.test/odoo.test", "odoo.test"),
            ("https://odoo.test@evil.test", "odoo.test"),
            ("https://shop.odoo.test", "odoo.test"),
            ("https://odoo.test, https://evil.test", "odoo.test"),
            ("null", "odoo.test"),
            ("", "odoo.test"),
            ("file://", "odoo.test"),
            ("chrome-extension://odoo.test", "odoo.test"),
            ("https://odoo.test:port", "odoo.test"),
            ("https://[::1", "odoo.test"),
        ):
            self.assertTrue(is_foreign(origin, host), (origin, host))
