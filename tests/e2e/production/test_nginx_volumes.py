"""Somebody empties the volumes of a running Nginx."""

import json

import pytest

from tests.e2e.support.production import STATIC_FILE, Production, asked_of_odoo, new_file
from tests.support.waiting import eventually

_VOLUMES = ("nginx_cache", "nginx_temp")


@pytest.fixture(autouse=True)
def emptied(production: Production) -> None:
    """All that is in them is gone; by root, past the container, as on the host."""
    assert _upload(production) == 200 and production.ask(STATIC_FILE).status == 200
    mounts = [f"--volume={production.project}_{name}:/{name}" for name in _VOLUMES]
    image = production.inspect("nginx")["Image"]
    find = ["--user", "0", "--entrypoint", "find", image, *(f"/{name}" for name in _VOLUMES)]
    run = ["docker", "run", "--rm", "--network", "none", *mounts, *find]
    assert production.run(*run, "-mindepth", "1", "-delete").returncode == 0
    assert production.run(*run, "-mindepth", "1").stdout == ""


def _upload(production: Production) -> int:
    """The status of a call that is too long to be kept in memory."""
    body = json.dumps({"jsonrpc": "2.0", "params": {}, "id": "x" * 300_000}).encode()
    headers = {"Content-Type": "application/json"}
    path = "/web/webclient/version_info"
    return production.ask(path, method="POST", headers=headers, body=body).status


def test_uploads_go_on_at_once(production: Production) -> None:
    assert [_upload(production) for _ in range(12)] == [200] * 12  # into each of the ten folders


def test_static_files_are_served_and_kept_again(production: Production) -> None:
    assert production.once(STATIC_FILE).status == 200  # was kept before
    path = new_file()
    answers = [production.once(path) for _ in range(3)]
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert eventually(lambda: asked_of_odoo(production, path), 5) == 1


def test_nginx_loads_its_configuration_and_starts_again(production: Production) -> None:
    production.reload()
    assert _upload(production) == 200
    production.forget_limits()
    assert _upload(production) == 200
