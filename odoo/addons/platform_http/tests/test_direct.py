from unittest.mock import patch

from odoo.tests import HttpCase, tagged
from odoo.tools import config


@tagged("post_install", "-at_install")
class TestDirect(HttpCase):
    def test_a_file_comes_whole_but_for_nginx(self):
        values = {"name": "a.bin", "raw": b"0123456789" * 99, "public": True}
        number = self.env["ir.attachment"].create(values).id
        with patch.dict(config.options, x_sendfile=True):
            direct = self.url_open(f"/web/content/{number}")
            headers = {"X-Forwarded-Host": "odoo.example.com"}
            by_nginx = self.url_open(f"/web/content/{number}", headers=headers)
        self.assertEqual(direct.content, values["raw"])
        self.assertNotIn("X-Accel-Redirect", direct.headers)
        self.assertEqual(by_nginx.content, b"")
        self.assertIn("/web/filestore/", by_nginx.headers["X-Accel-Redirect"])
