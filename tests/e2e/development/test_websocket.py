"""Pages of other sites open no websocket of a development machine either."""

import http.client

import pytest

from tests.e2e.support.checkout import Checkout


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("http://localhost:{port}", "localhost:{port}", 101),
        ("http://127.0.0.1:4711", "127.0.0.1:4711", 101),  # by a forwarded port
        ("https://name.tunnel.test", "name.tunnel.test", 101),  # which may speak HTTPS
        ("", "localhost:{port}", 400),  # Odoo wants one
        ("http://evil.test", "localhost:{port}", 403),
        ("http://localhost:1", "localhost:{port}", 403),
        ("http://localhost:{port}.evil.test", "localhost:{port}", 403),
        ("null", "localhost:{port}", 403),
    ],
)
def test_only_the_sites_own_pages_get_a_websocket(
    platform: Checkout, origin: str, host: str, status: int
) -> None:
    headers = {
        "Host": host.format(port=platform.http_port),
        "Origin": origin.format(port=platform.http_port),
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "a2V5a2V5a2V5a2V5a2V5aw==",
    }
    connection = http.client.HTTPConnection("127.0.0.1", platform.http_port, timeout=30)
    connection.request("GET", "/websocket", headers={k: v for k, v in headers.items() if v})
    assert connection.getresponse().status == status
    connection.close()
