"""What an address of the user's is told of a backup."""

import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.e2e.support.odoo_data import OdooData

pytestmark = pytest.mark.xdist_group("backup_faults")


def test_an_outcome_is_told_to_an_address(odoo_data: OdooData) -> None:
    heard: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    try:
        assert odoo_data.platform.inv("backup", "--notify", url).returncode == 0
        nowhere = {"BACKUP_FOLDER": os.devnull}
        assert odoo_data.platform.inv("backup", "--notify", url, **nowhere).returncode == 1
    finally:
        server.shutdown()
    repository = odoo_data.platform.inv("health", "--only", "repository").stdout
    assert "Repository: ✓ OK" in repository, repository
    assert b'"status": "ok"' in heard[0] and b'"status": "failed"' in heard[1]
