"""Nobody passes while the gate is closed, and it opens by itself, soon after whatever dies."""

import contextlib
import secrets
import signal
import sys
from collections.abc import Iterator

import psutil
import pytest

from tests.e2e.support.gate import CLOSE, assert_away, closed
from tests.e2e.support.production import STATIC_FILE, Production, asked_of_odoo, assert_protected
from tests.e2e.support.raw import at_once
from tests.support.waiting import eventually

_SOON = 10  # seconds; an answer takes one of them on a busy machine
# Somebody who holds the client's standard input, as `inv` does.
_HOLDER = """
import subprocess, sys, time
client = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def open_at_the_end(production: Production) -> Iterator[None]:
    """No test leaves the gate closed to the next one."""
    yield
    assert eventually(lambda: _open(production), _SOON)


def _open(production: Production) -> bool:
    return production.once("/web/login").status == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/web/login", "/websocket", "/jsonrpc", "/xmlrpc/2/common", "/"])
def test_while_it_is_closed_odoo_is_not_asked(
    production: Production, path: str, method: str
) -> None:
    path = f"{path}?{secrets.token_hex(6)}"
    with closed(production):
        answer = production.once(path, method=method)
    assert_away(answer)
    assert_protected(answer)
    assert asked_of_odoo(production, path) == 0


def test_while_it_is_closed_nginx_is_healthy_and_kept_files_are_served(
    production: Production,
) -> None:
    assert production.ask(STATIC_FILE).status == 200
    with closed(production):
        assert production.once("/nginx-health").text == "ok\n"
        kept = production.once(STATIC_FILE)
        report = production.inv("health")
    assert kept.status == 200 and kept.body
    assert_protected(kept)
    assert report.returncode == 1
    assert "Nginx: ✓ OK" in report.stdout
    assert "Odoo (proxy): ✗ FAILED: status 503" in report.stdout


def test_who_waits_is_never_refused_by_the_limits(production: Production) -> None:
    with closed(production):
        assert at_once(production, "/web/login", 100) == [503] * 100


def test_a_second_one_is_refused_and_opens_nothing(production: Production) -> None:
    with closed(production):
        second = production.run(*CLOSE)
        assert (second.returncode, second.stdout) == (1, "")
        assert second.stderr == "gate: it is closed already, by another\n"
        assert_away(production.once("/web/login"))


def test_it_opens_when_its_client_is_killed(production: Production) -> None:
    with closed(production) as client:
        # Compose is a process of its own below docker's, and may see that die.
        below = psutil.Process(client.pid).children(recursive=True)
        client.kill()
        for process in below:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        # It may be in the midst of something; another can go on keeping people out.
        assert_away(production.once("/web/login"))
        # Its standard input is still held.
        assert eventually(lambda: _open(production), _SOON)
    assert client.returncode == -signal.SIGKILL


def test_it_opens_when_the_holder_of_its_standard_input_is_killed(production: Production) -> None:
    holder = production.start(sys.executable, "-c", _HOLDER, *CLOSE)
    assert holder.stdout and holder.stdout.readline() == "closed\n"
    assert_away(production.once("/web/login"))
    holder.kill()
    assert eventually(lambda: _open(production), _SOON)
    holder.communicate(timeout=30)


@pytest.mark.parametrize("name", ["HUP", "INT", "TERM", "KILL"])
def test_it_opens_when_the_gate_itself_gets_a_signal(production: Production, name: str) -> None:
    script = f"kill -{name} $(readlink /tmp/closed | cut -d/ -f3)"
    with closed(production) as client:
        assert_away(production.once("/web/login"))
        production.execute("nginx", "sh", "-c", script)
        assert client.wait(timeout=30) == (137 if name == "KILL" else 0)
        assert eventually(lambda: _open(production), _SOON)
    with closed(production):  # what a killed one leaves is in nobody's way
        assert_away(production.once("/web/login"))


def test_after_a_restart_of_nginx_it_opens_when_nobody_closes_it_again(
    production: Production,
) -> None:
    with closed(production):
        production.forget_limits()
        assert_away(production.once("/web/login"))
        assert eventually(lambda: _open(production), _SOON)
    production.forget_limits()
    assert _open(production)  # there is nothing to go on with
