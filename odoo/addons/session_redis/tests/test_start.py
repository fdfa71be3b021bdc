import json
import logging
import ssl
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

import redis
from odoo.exceptions import UserError
from odoo.tests import BaseCase, tagged
from odoo.tools import config

from .. import refuse_installation, start
from ..settings import reason
from .common import forget, scratch_store


@tagged("post_install", "-at_install")
class TestStart(BaseCase):
    def setUp(self):
        super().setUp()
        self.store = scratch_store()
        self.addCleanup(forget, self.store)

    def begin(self):
        with tempfile.TemporaryDirectory() as folder, patch.object(self.store, "path", folder):
            start._begin(self.store)

    def test_an_odoo_shell_does_not_wait_for_redis(self):
        for line, shell in (
            (["odoo", "shell", "-d", "odoo"], True),
            (["odoo", "--addons-path=/a", "shell"], True),
            (["odoo", "-d", "shell"], False),
            (["odoo", "server"], False),
            (["odoo"], False),
        ):
            with patch.object(sys, "argv", line):
                self.assertEqual(start._is_shell(), shell, line)

    def test_a_certificate_that_cannot_be_trusted_ends_the_start_at_once(self):
        def ask(*_):
            try:
                raise ssl.SSLCertVerificationError("certificate verify failed")
            except OSError as error:
                raise redis.ConnectionError("Error 1 connecting") from error

        with patch.object(self.store.client, "exists", ask), self.assertRaises(SystemExit) as end:
            self.begin()
        self.assertIn("cannot be trusted, see tls_ca_file", str(end.exception))

    def test_what_a_full_redis_refuses_to_take_from_files_is_not_in_the_log(self):
        sid = self.store.generate_key()
        full = redis.ResponseError(
            f"Command # 1 (HSETNX {sid[:42]} {sid[42:]} {{) of pipeline caused error: OOM maxmemory"
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, sid[:2], sid)
            path.parent.mkdir()
            path.write_text(json.dumps({"uid": 2}))
            with (
                patch.object(self.store, "path", folder),
                patch.object(redis.client.Pipeline, "execute", side_effect=full),
                self.assertLogs("odoo.addons.session_redis.start", logging.ERROR) as logged,
            ):
                start._begin(self.store)
            self.assertTrue(path.exists(), "tried again later")
        self.assertIn("OOM", logged.output[0])
        self.assertNotIn(sid[42:], logged.output[0])
        self.assertEqual(reason(redis.ConnectionError("gone")), "gone")

    def test_nobody_installs_it_in_a_database(self):
        with patch.dict(config.options, {"test_enable": False}), self.assertRaises(UserError):
            refuse_installation(None)
