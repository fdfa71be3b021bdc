"""Requests that come to an end when the containers that Nginx knows have been replaced."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.support import images
from tests.e2e.support.production import HANDSHAKE, Production

_NOBODY = "127.0.0.2"
# Takes one request, and dies of it.
_DIES = (
    "import socket; s = socket.create_server(('', 8069)); print('ready', flush=True);"
    " c = s.accept()[0]; print(c.recv(9999).split()[0].decode(), flush=True); c.close();"
    " c = s.accept()[0]; print('again', flush=True)"
)


@contextmanager
def _sent_to(production: Production, address: str) -> Iterator[None]:
    production.execute("nginx", "sh", "/etc/nginx/upstreams", address, address)
    try:
        yield
    finally:
        production.execute("nginx", "sh", "/etc/nginx/upstreams")


def _write(production: Production, admin: str, name: str) -> int:
    params = {"model": "res.partner", "method": "create", "args": [{"name": name}], "kwargs": {}}
    return production.call("/web/dataset/call_kw", params, admin).status


def _written(production: Production, name: str) -> int:
    return int(production.sql(f"SELECT count(*) FROM res_partner WHERE name = '{name}'"))


def test_what_was_sent_to_nobody_goes_where_the_name_leads(
    production: Production, admin: str
) -> None:
    name = secrets.token_hex(8)
    with _sent_to(production, _NOBODY):
        assert production.ask("/web/login").status == 200
        assert _write(production, admin, name) == 200
        # A page opens another websocket by itself.
        assert production.ask("/websocket", headers=HANDSHAKE).status == 503
    assert _written(production, name) == 1


def test_what_was_sent_is_not_sent_again(production: Production, admin: str) -> None:
    name = secrets.token_hex(8)
    image = images.in_use(production)["BACKUP_IMAGE"]
    container = f"{production.project}-dies"
    run = ["run", "--detach", "--name", container, "--network", f"{production.project}_edge"]
    production.run("docker", *run, "--entrypoint", "python3", image, "-c", _DIES)
    try:
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        address = production.run("docker", "inspect", "--format", form, container).stdout.strip()
        with _sent_to(production, address):
            status = _write(production, admin, name)
        logged = production.run("docker", "logs", container).stdout.split()
    finally:
        production.run("docker", "rm", "--force", container)
    assert status == 503
    assert logged == ["ready", "POST"]
    assert _written(production, name) == 0
