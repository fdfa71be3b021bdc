"""`inv maintenance` on a real Nginx: who is kept out, by whom, and until when."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import pytest

from scripts.core.settings import Settings
from scripts.stack import maintenance_window
from scripts.stack.maintenance_window import Window
from tests.e2e.support import gate
from tests.e2e.support.production import Answer, Production, assert_protected
from tests.support.waiting import eventually

_HOSTILE: Final = """<script>alert(1)</script> "; } location / { return 200; } $host 'ünï'"""
_SOON: Final = 10


@pytest.fixture(autouse=True)
def open_at_the_end(production: Production) -> Iterator[None]:
    """No test leaves the site closed to the next one."""
    yield
    assert production.inv("maintenance", "off").returncode == 0
    assert eventually(lambda: _status(production) == 200, _SOON)


def _status(production: Production) -> int:
    return production.ask("/web/login").status


def _on(production: Production, *options: str) -> None:
    done = production.inv("maintenance", "on", *options)
    assert done.returncode == 0, done.stderr


def _state(production: Production) -> dict[str, Any]:
    done = production.inv("maintenance", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _kept_out(answer: Answer) -> bool:
    return answer.status == 503 and "<h1>Maintenance</h1>" in answer.text


def _begin_one_that_ends_after(production: Production, seconds: int) -> None:
    """As `inv maintenance on` would, but for a shorter time than it takes."""
    now = datetime.now(UTC).replace(microsecond=0)
    window = Window(now, now + timedelta(seconds=seconds), "Soon over")
    maintenance_window.write(Settings.load(production.root, prod=True), window)
    production.reload()


def test_visitors_and_programs_are_kept_out(production: Production) -> None:
    _on(production)
    for path in ("/", "/web/login", "/websocket", "/jsonrpc", "/xmlrpc/2/common"):
        for method in ("GET", "POST"):
            answer = production.ask(path, method=method)
            assert _kept_out(answer), f"{method} {path}: {answer}"
            assert answer.all("Retry-After") == ["600"]
            assert answer.all("Cache-Control") == ["no-store"]
            assert answer.all("Content-Type") == ["text/html; charset=utf-8"]
            assert_protected(answer)


def test_a_message_is_text_and_the_end_is_told(production: Production) -> None:
    _on(production, "--for", "2h", "--message", _HOSTILE)
    answer = production.ask("/web/login")
    assert _kept_out(answer)
    assert "<script>" not in answer.text and "&#60;script&#62;alert" in answer.text
    found = _state(production)
    assert (found["on"], found["message"]) == (True, _HOSTILE)
    end = datetime.fromisoformat(found["until"])
    assert end - datetime.fromisoformat(found["since"]) == timedelta(hours=2)
    assert parsedate_to_datetime(answer.header("Retry-After")) == end
    assert f"Expected to end: {maintenance_window.local(end)}" in answer.text


def test_it_outlives_restarts_and_does_not_keep_a_start_waiting(production: Production) -> None:
    _on(production)
    production.forget_limits()  # which restarts Nginx
    assert _kept_out(production.ask("/web/login"))
    assert production.compose("down").returncode == 0
    done = production.inv("up")
    assert done.returncode == 0, done.stderr
    assert "Visitors are kept out for maintenance since" in done.stdout
    assert _kept_out(production.ask("/web/login"))


def test_it_ends_by_itself(production: Production) -> None:
    _begin_one_that_ends_after(production, 4)
    assert _kept_out(production.ask("/web/login"))
    time.sleep(5)
    assert _status(production) == 200
    assert production.once("/nginx-health").text == "ok\n"
    assert _state(production)["on"] is False


def test_it_is_over_for_an_nginx_that_is_started_after_its_end(production: Production) -> None:
    _begin_one_that_ends_after(production, 1)
    production.forget_limits()
    assert eventually(lambda: _status(production) == 200, _SOON)


def test_neither_it_nor_the_gate_of_a_module_change_opens_the_other(
    production: Production,
) -> None:
    with gate.closed(production):
        _on(production)
        assert _kept_out(production.ask("/web/login"))
        assert production.inv("maintenance", "off").returncode == 0
        gate.assert_away(production.ask("/web/login"))
        _on(production)
    assert _kept_out(production.ask("/web/login"))


def test_health_says_since_when_and_that_odoo_is_well(production: Production) -> None:
    _on(production, "--for", "30m")
    done = production.inv("health")
    assert done.returncode == 0, done.stdout
    assert "Odoo (proxy): ! WARNING: visitors are kept out for maintenance since 20" in done.stdout
    assert "Odoo (container): ✓ OK" in done.stdout
    assert production.once("/nginx-health").text.startswith("ok\nmaintenance since 20")


def test_an_edit_that_nginx_refuses_is_an_error_and_lets_nobody_out(
    production: Production,
) -> None:
    path = production.root / "nginx/snippets/limits.conf"
    before = path.read_text()
    try:
        path.write_text(before + "\nnonsense;\n")
        done = production.inv("maintenance", "on")
    finally:
        path.write_text(before)
    assert done.returncode == 1
    assert 'unknown directive "nonsense"' in done.stderr
    assert _state(production)["on"] is False
    assert _status(production) == 200


def test_a_state_that_nginx_has_not_taken_is_failed_health(production: Production) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    maintenance_window.write(Settings.load(production.root, prod=True), Window(now, None, "x"))
    done = production.inv("health")
    assert done.returncode == 1
    assert "Nginx: ✗ FAILED: it goes by another state of maintenance" in done.stdout
    status = production.inv("maintenance")
    assert status.returncode == 1 and "But Nginx lets visitors in" in status.stdout
