"""PostgreSQL restarted, killed and stopped: 503 for a while, and nobody is logged out."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest
import requests

from tests.e2e.support.browser_session import BrowserSession, Websocket
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.session_store import answers
from tests.support.waiting import eventually

_STATIC = "/web/static/img/favicon.ico"


@contextmanager
def stopped(platform: Checkout) -> Iterator[None]:
    platform.compose("stop", "odoo_db")
    try:
        yield
    finally:
        platform.compose("start", "odoo_db")


def restarted(platform: Checkout) -> None:
    platform.compose("restart", "odoo_db")


def killed(platform: Checkout) -> None:
    """PID 1 of the container, as an engine or the kernel would."""
    os.kill(platform.pid("odoo_db"), signal.SIGKILL)


def open_page(visitor: BrowserSession) -> requests.Response:
    return visitor.get("/odoo", allow_redirects=False)


def test_while_the_database_is_away_visitors_get_503_and_their_session_waits(
    platform: Checkout,
) -> None:
    pages, calls = BrowserSession.admin(platform), BrowserSession.admin(platform)
    socket = Websocket(calls)
    with stopped(platform):
        for answer in (
            open_page(pages),
            pages.get("/web/login", allow_redirects=False),
            calls.call("/web/session/get_session_info"),
            BrowserSession(platform).get("/web/login", allow_redirects=False),
            BrowserSession(platform).get("/", allow_redirects=False),
        ):
            assert answer.status_code == 503, answer.headers
            assert answer.headers["Retry-After"] == "5"
            assert "session_id" not in answer.cookies and "Location" not in answer.headers
            assert 'http-equiv="refresh"' in answer.text, "a browser comes back by itself"
        for path in (_STATIC, "/web/health"):
            assert BrowserSession(platform).get(path).status_code == 200
            assert pages.get(path).status_code == 200
        socket.subscribe()
    socket.close()
    assert eventually(lambda: answers(pages), 60)
    assert pages.uid() == calls.uid() == 2
    Websocket(calls).close()


@pytest.mark.parametrize("trouble", [pytest.param(restarted, marks=pytest.mark.extended), killed])
def test_clients_that_go_on_meanwhile_see_nothing_but_503(
    platform: Checkout, trouble: Callable[[Checkout], None]
) -> None:
    visitors = [BrowserSession.admin(platform) for _ in range(3)]
    seen: Counter[int] = Counter()
    enough = Event()

    def go_on(visitor: BrowserSession, ask: Callable[[BrowserSession], requests.Response]) -> None:
        while not enough.wait(0.2):
            seen[ask(visitor).status_code] += 1

    asks = (open_page, open_page, lambda v: v.call("/web/session/get_session_info"))
    threads = [Thread(target=go_on, args=pair) for pair in zip(visitors, asks, strict=True)]
    for thread in threads:
        thread.start()
    try:
        # One that was killed may be back before anybody asks; Docker waits longer each time.
        for _ in range(10):
            trouble(platform)
            if eventually(lambda: seen[503], 2):
                break
        assert seen[503]
        assert eventually(lambda: answers(visitors[0]), 60)
    finally:
        enough.set()
        for thread in threads:
            thread.join()
    assert set(seen) == {200, 503}, seen
    assert [visitor.uid() for visitor in visitors] == [2, 2, 2]


def test_a_database_that_is_missing_logs_nobody_out(platform: Checkout) -> None:
    admin, rename = BrowserSession.admin(platform), "ALTER DATABASE {} RENAME TO {}"
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'odoo'"
    platform.compose("pause", "odoo")
    platform.sql(end, "postgres")
    platform.sql(rename.format("odoo", "aside"), "postgres")
    platform.compose("unpause", "odoo")
    try:
        for visitor in (admin, BrowserSession(platform)):
            answer = visitor.get("/web/login", allow_redirects=False)
            assert answer.status_code == 503 and "session_id" not in answer.cookies
    finally:
        platform.sql(rename.format("aside", "odoo"), "postgres")
    assert eventually(lambda: answers(admin), 30)
    assert admin.uid() == 2
