"""Odoo is away, or comes back elsewhere."""

from collections.abc import Iterator

import pytest

from tests.e2e.support.gate import assert_away
from tests.e2e.support.production import Production, assert_protected
from tests.support.waiting import eventually

_KEPT = "/web/static/img/favicon.ico"


@pytest.fixture(scope="module")
def orphaned(production: Production) -> Iterator[Production]:
    """Production without Odoo."""
    assert production.ask(_KEPT).status == 200
    assert production.compose("stop", "--timeout", "5", "odoo").returncode == 0
    try:
        yield production
    finally:
        production.compose("start", "odoo")
        assert eventually(lambda: production.ask("/web/login").status == 200, 60)


def test_what_odoo_itself_answers_passes_as_it_is(production: Production, admin: str) -> None:
    assert production.compose("stop", "--timeout", "5", "redis").returncode == 0
    try:
        answer = production.call("/web/session/get_session_info", {}, admin)
    finally:
        production.compose("start", "redis")
    assert answer.status == 503
    assert "Sessions cannot be reached at the moment." in answer.text
    assert answer.header("Retry-After")
    assert_protected(answer)
    assert eventually(lambda: production.ask("/odoo", headers={"Cookie": admin}).status == 200, 30)


def test_an_odoo_that_hangs_is_away(production: Production) -> None:
    odoo = production.container("odoo")
    with production.changed("snippets/odoo-proxy.conf", "read_timeout 1200s", "read_timeout 1s"):
        production.run("docker", "pause", odoo)
        try:
            answer = production.ask("/web/login")
        finally:
            production.run("docker", "unpause", odoo)
    assert_away(answer)
    assert_protected(answer)


@pytest.mark.parametrize(
    "path",
    [
        "/web/login",
        "/web/image/x.gif",
        "/web/static/img/no-such-file.jpg",
        "/websocket",
        "/jsonrpc",
    ],
)
def test_without_odoo_there_is_a_page_with_every_header(orphaned: Production, path: str) -> None:
    answer = orphaned.ask(path)
    assert_away(answer)
    assert_protected(answer)


def test_without_odoo_a_call_is_refused_and_no_json_comes_back(orphaned: Production) -> None:
    # Odoo's web client would show JSON as an error; anything else is a lost connection to it.
    answer = orphaned.call("/web/dataset/call_kw", {})
    assert_away(answer)
    assert_protected(answer)


def test_without_odoo_a_websocket_is_refused(orphaned: Production) -> None:
    switch = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    answer = orphaned.ask(
        "/websocket", headers={**switch, "Sec-WebSocket-Key": "a2V5" * 5 + "a2U="}
    )
    assert_away(answer)
    assert_protected(answer)


def test_without_odoo_a_head_has_no_body(orphaned: Production) -> None:
    answer = orphaned.ask("/web/login", method="HEAD")
    assert (answer.status, answer.header("Retry-After"), answer.body) == (503, "5", b"")


def test_without_odoo_kept_files_are_served(orphaned: Production) -> None:
    answer = orphaned.ask(_KEPT)
    assert answer.status == 200 and answer.body
    assert answer.header("Cache-Control") == "max-age=86400"
    assert_protected(answer)


def test_without_odoo_nginx_is_healthy(orphaned: Production) -> None:
    assert orphaned.ask("/nginx-health").text == "ok\n"


def test_an_odoo_with_another_address_is_found(production: Production) -> None:
    nginx, before = production.container("nginx"), production.address("odoo")
    # Another container takes the address that Odoo had, so that it gets a new one.
    assert production.compose("rm", "--stop", "--force", "odoo").returncode == 0
    squatter = f"{production.project}-squatter"
    image = production.inspect("redis")["Image"]
    sleep = ["--ip", before, "--entrypoint", "sleep", image, "300"]
    network = f"{production.project}_edge"
    run = ["docker", "run", "-d", "--rm", "--name", squatter, "--network", network]
    try:
        if production.run(*run, *sleep).returncode:  # not every engine lets one choose
            production.run(*run, *sleep[2:])
        assert production.ask("/web/login").status == 503
        assert production.compose("up", "--detach", "--no-deps", "odoo").returncode == 0
        assert eventually(lambda: production.ask("/web/login").status == 200, 15)
        assert production.address("odoo") != before
        assert production.container("nginx") == nginx
    finally:
        production.run("docker", "rm", "--force", "--volumes", squatter)
        production.compose("up", "--detach", "--no-deps", "odoo")
