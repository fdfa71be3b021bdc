"""Odoo is away, or comes back elsewhere."""

from collections.abc import Iterator

import pytest

from tests.e2e.checkout import eventually
from tests.e2e.production import Production
from tests.e2e.test_nginx_headers import assert_protected

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


@pytest.mark.parametrize(
    "path", ["/web/login", "/web/static/img/no-such-file.png", "/websocket", "/jsonrpc"]
)
def test_without_odoo_the_answer_is_502_with_every_header(orphaned: Production, path: str) -> None:
    answer = orphaned.ask(path)
    assert answer.status == 502
    assert_protected(answer)


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
        assert production.ask("/web/login").status in (502, 504)
        assert production.compose("up", "--detach", "--no-deps", "odoo").returncode == 0
        assert eventually(lambda: production.ask("/web/login").status == 200, 15)
        assert production.address("odoo") != before
        assert production.container("nginx") == nginx
    finally:
        production.run("docker", "rm", "--force", "--volumes", squatter)
        production.compose("up", "--detach", "--no-deps", "odoo")
