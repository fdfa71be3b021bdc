"""Logs as JSON (LOG_FORMAT=json): one request is found in both by its id."""

import json
import re
import secrets
from typing import Any

from tests.e2e.support.production import HANDSHAKE, Production
from tests.support.waiting import eventually

_TEXT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ")  # how Odoo's own lines begin


def _objects(production: Production, service: str) -> list[dict[str, Any]]:
    """What it has logged as JSON; the entrypoint and libraries write lines of their own."""
    lines = production.logs(service).splitlines()
    assert not [line for line in lines if _TEXT.match(line)]
    return [json.loads(line) for line in lines if line.startswith("{")]


def _lines_of(production: Production, path: str, **headers: str) -> list[dict[str, Any]]:
    """What Odoo has logged of one request for `path` through Nginx."""
    agent = f"agent-{secrets.token_hex(8)}"
    production.ask(path, headers={"User-Agent": agent, "X-Request-Id": "forged", **headers})

    def of_nginx() -> list[dict[str, Any]]:
        return [o for o in _objects(production, "nginx") if o["user_agent"] == agent]

    def of_odoo() -> list[dict[str, Any]]:
        found = _objects(production, "odoo")
        return [o for o in found if o.get("request_id") == asked[-1]["request_id"]]

    asked = eventually(of_nginx, 30)
    assert asked
    assert asked[-1]["uri"].startswith(path.partition("?")[0])
    assert len(asked[-1]["request_id"]) == 32
    lines = eventually(of_odoo, 30)
    assert lines, asked
    return lines


def test_a_request_has_one_id_in_the_logs_of_nginx_and_odoo(production: Production) -> None:
    lines = _lines_of(production, "/web/login?token=planted-4711")
    assert all(line["service"] == "odoo" and line["database"] == "odoo" for line in lines)
    assert any("GET /web/login?token=- HTTP" in line["message"] for line in lines)
    assert any(line.get("queries") for line in lines)
    assert "planted-4711" not in production.logs("nginx") + production.logs("odoo")


def test_the_process_of_websockets_logs_it_too(production: Production) -> None:
    lines = _lines_of(production, "/websocket", **HANDSHAKE)
    others = {o["pid"] for o in _objects(production, "odoo") if "WorkerHTTP" in o["message"]}
    assert {line["pid"] for line in lines}.isdisjoint(others)
