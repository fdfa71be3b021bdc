"""Attachments: Odoo decides who may have one, Nginx sends it."""

import base64
import hashlib
import os
from collections.abc import Iterator

import pytest

from tests.e2e.support.production import Answer, Production, assert_protected
from tests.support.waiting import eventually

_HTML = b"<script>alert(1)</script>" * 40
_SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
_BYTES = os.urandom(300_000)


class Attachments:
    """Attachments of admin that nobody else may see, gone after the test."""

    def __init__(self, production: Production, cookie: str) -> None:
        self._production = production
        self._cookie = cookie
        self._made: list[int] = []

    def _model(self, method: str, *arguments: object) -> object:
        params = {"model": "ir.attachment", "method": method, "args": arguments, "kwargs": {}}
        answer = self._production.call("/web/dataset/call_kw", params, self._cookie).json
        assert "error" not in answer, answer
        return answer["result"]

    def add(self, name: str, kind: str, data: bytes) -> str:
        """The path of a new attachment."""
        values = {"name": name, "mimetype": kind, "datas": base64.b64encode(data).decode()}
        made = self._model("create", [values])
        assert isinstance(made, list)
        self._made += made
        return f"/web/content/{made[0]}"

    def get(self, path: str, **headers: str) -> Answer:
        """An attachment as admin gets it."""
        return self._production.ask(path, headers={"Cookie": self._cookie, **headers})

    def remove(self) -> None:
        """Delete all that were added."""
        self._model("unlink", self._made)


@pytest.fixture
def attachments(production: Production, admin: str) -> Iterator[Attachments]:
    made = Attachments(production, admin)
    yield made
    made.remove()


def test_an_attachment_arrives_as_it_was_sent(attachments: Attachments) -> None:
    answer = attachments.get(attachments.add("a.bin", "application/octet-stream", _BYTES))
    assert answer.status == 200
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(_BYTES).digest()
    assert_protected(answer)
    assert answer.all("X-Accel-Redirect") + answer.all("X-Sendfile") == []


def test_it_is_nginx_that_sends_it(production: Production, attachments: Attachments) -> None:
    path = attachments.add("a.bin", "application/octet-stream", _BYTES)
    attachments.get(path)
    # Odoo's own log has the size of what it sent: nothing.
    line = eventually(
        lambda: [text for text in production.logs("odoo").splitlines() if f"GET {path} " in text], 5
    )
    assert '" 200 0 ' in line[-1] or '" 200 - ' in line[-1], line


def test_a_part_of_an_attachment_can_be_had(attachments: Attachments) -> None:
    path = attachments.add("a.bin", "application/octet-stream", _BYTES)
    answer = attachments.get(path, Range="bytes=100-199")
    assert (answer.status, answer.body) == (206, _BYTES[100:200])
    assert answer.header("Content-Range") == f"bytes 100-199/{len(_BYTES)}"
    assert_protected(answer)


def test_an_attachment_that_is_known_is_not_sent_again(attachments: Attachments) -> None:
    path = attachments.add("a.bin", "application/octet-stream", _BYTES)
    known = attachments.get(path).header("ETag")
    assert known
    answer = attachments.get(path, **{"If-None-Match": known})
    assert (answer.status, answer.body) == (304, b"")
    assert_protected(answer)


@pytest.mark.parametrize(
    ("name", "kind", "data"), [("x.svg", "image/svg+xml", _SVG), ("x.html", "text/html", _HTML)]
)
def test_a_hostile_attachment_runs_no_script(
    attachments: Attachments, name: str, kind: str, data: bytes
) -> None:
    answer = attachments.get(attachments.add(name, kind, data))
    assert (answer.status, answer.body) == (200, data)
    assert answer.header("Content-Security-Policy") == "default-src 'none'"
    assert_protected(answer)


def test_without_a_session_there_is_no_attachment(
    production: Production, attachments: Attachments
) -> None:
    path = attachments.add("a.bin", "application/octet-stream", _BYTES)
    answer = production.ask(path)
    assert answer.status in (403, 404)
    assert _BYTES[:50] not in answer.body


@pytest.mark.parametrize("prefix", ["", "/web/..", "/web/static/..%2f..", "/", "/fr"])
def test_the_filestore_has_no_address_outside(
    production: Production, attachments: Attachments, prefix: str
) -> None:
    attachments.add("a.bin", "application/octet-stream", _BYTES)
    digest = hashlib.sha1(_BYTES).hexdigest()
    production.execute("odoo", "test", "-s", f"/var/lib/odoo/filestore/odoo/{digest[:2]}/{digest}")
    path = f"{prefix}/web/filestore/odoo/{digest[:2]}/{digest}"
    answer = production.ask(path)
    # Odoo's web client takes any path that begins with /odoo, none of these.
    assert answer.status == 404
    assert _BYTES[:50] not in answer.body


def test_nginx_can_read_the_filestore_and_nothing_else_of_odoo(
    production: Production, admin: str
) -> None:
    script = (
        "cd /var/lib/odoo; ls filestore/odoo >/dev/null && echo filestore;"
        " ls sessions >/dev/null 2>&1 && echo sessions; ls .platform >/dev/null 2>&1 && echo own;"
        " find filestore -type f ! -readable | grep -q . && echo closed;"
        " touch filestore/x 2>/dev/null && echo written; true"
    )
    assert production.execute("nginx", "sh", "-c", script, user="nginx").split() == ["filestore"]
    # Not even its master, which is root, can write.
    root = "touch /var/lib/odoo/filestore/x 2>&1 || true"
    assert "Read-only file system" in production.execute("nginx", "sh", "-c", root)
    assert production.execute(
        "odoo", "ls", "-d", "/var/lib/odoo/sessions", "/var/lib/odoo/.platform"
    )


def test_health_reads_one_as_a_visitor_would(production: Production) -> None:
    def row() -> str:
        done = production.inv("health", "--only", "attachments")
        return done.stdout.splitlines()[2]

    assert row() == "Attachments: ✓ OK"
    name = "snippets/odoo-filestore.conf"
    with production.changed(name, "/var/lib/odoo/filestore/;", "/var/lib/odoo/elsewhere/;"):
        assert row().startswith("Attachments: ✗ FAILED: one cannot be read: status 404")
