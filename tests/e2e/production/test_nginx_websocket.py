"""Pages of other sites open no websocket with the cookie of somebody who is logged in."""

import pytest

from tests.e2e.support.production import HANDSHAKE, NAME, OTHER_NAME, Production
from tests.e2e.support.raw import exchange, statuses


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.test",
        "http://{host}",
        f"https://{NAME}",  # another port of the same machine
        f"https://{OTHER_NAME}",
        "https://{host}.evil.test",
        "https://evil.test/{host}",
        "https://evil{host}",
        "https://{host} https://{host}",
        "{host}",
        "null",
        "chrome-extension://{host}",
    ],
)
def test_a_foreign_page_gets_no_websocket(production: Production, admin: str, origin: str) -> None:
    headers = {
        **HANDSHAKE,
        "Cookie": admin,
        "Origin": origin.format(host=production.host),
    }
    assert production.ask("/websocket", headers=headers).status == 403


@pytest.mark.parametrize("first", [True, False])
def test_two_origins_are_a_foreign_one(production: Production, admin: str, first: bool) -> None:
    origins = [f"Origin: https://{production.host}", "Origin: https://evil.test"]
    lines = ["GET /websocket HTTP/1.1", f"Host: {production.host}", f"Cookie: {admin}"]
    lines += [f"{name}: {value}" for name, value in HANDSHAKE.items()]
    lines += [*(origins if first else reversed(origins)), "", ""]
    assert statuses(exchange(production, "\r\n".join(lines).encode(), 3)) == [403]


@pytest.mark.parametrize("host", [NAME, f"{NAME}:4711"])
def test_the_sites_own_pages_get_one(production: Production, admin: str, host: str) -> None:
    headers = {**HANDSHAKE, "Cookie": admin, "Host": host, "Origin": f"https://{host}"}
    assert production.ask("/websocket", headers=headers).status == 101


def test_a_program_without_an_origin_is_left_to_odoo(production: Production, admin: str) -> None:
    # Odoo wants one: "Empty or missing header(s): origin".
    assert production.ask("/websocket", headers={**HANDSHAKE, "Cookie": admin}).status == 400


@pytest.mark.parametrize(
    "path", ["//websocket", "/x/../websocket", "/%77ebsocket", "/fr/websocket"]
)
def test_another_spelling_is_no_way_around(production: Production, admin: str, path: str) -> None:
    headers = {**HANDSHAKE, "Cookie": admin, "Origin": "https://evil.test"}
    assert production.ask(path, headers=headers).status != 101
