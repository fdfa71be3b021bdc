"""Each fault turns its own line of `inv health` red or yellow, and no other."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple

import pytest

from tests.e2e.support import faults
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.health_report import Look
from tests.support.waiting import BUSY, eventually

pytestmark = pytest.mark.xdist_group("health")

_LONGEST = 6  # seconds, where a service hangs
_CRON = "(SELECT min(id) FROM ir_cron WHERE active)"


class Fault(NamedTuple):
    """What is done, the line that has to tell, and what it says."""

    line: str
    says: str
    break_it: Callable[[Checkout], AbstractContextManager[None]]
    failed: bool = False


def _table(name: str, rows: int) -> tuple[str, str]:
    made = (
        f"CREATE TABLE {name} AS SELECT generate_series(1, {rows}) AS number;"
        f" ALTER TABLE {name} SET (autovacuum_enabled = off); DELETE FROM {name}"
    )
    return made, f"DROP TABLE {name}"


def _module(name: str, state: str) -> tuple[str, str]:
    insert = f"INSERT INTO ir_module_module (name, state) VALUES ('{name}', '{state}')"
    return insert, f"DELETE FROM ir_module_module WHERE name = '{name}'"


def _locked(platform: Checkout) -> AbstractContextManager[None]:
    stack = ExitStack()
    stack.enter_context(faults.limits(platform, LOCK_WAITS="0"))
    stack.enter_context(faults.sql(platform, "CREATE TABLE zz_lock (a int)", "DROP TABLE zz_lock"))
    stack.enter_context(faults.sessions(platform, 1, "LOCK TABLE zz_lock"))
    stack.enter_context(faults.waiting_session(platform, "TABLE zz_lock"))
    return stack  # type: ignore[return-value]


def _with(
    platform: Checkout, inner: AbstractContextManager[None], **limits: str
) -> AbstractContextManager[None]:
    stack = ExitStack()
    stack.enter_context(faults.limits(platform, **limits))
    stack.enter_context(inner)
    return stack  # type: ignore[return-value]


_FAULTS = [
    Fault("Assets", "web.assets_frontend.min.css", faults.without_bundle, failed=True),
    Fault(
        "Attachments",
        "one cannot be read: status 403",
        lambda p: faults.edited(
            p,
            "nginx/conf.d/default.conf",
            "    location @away {",
            "    location ^~ /web/content/ { return 403; }\n    location @away {",
        ),
        failed=True,
    ),
    Fault(
        "Attachments",
        "one that is read is not what was written",
        lambda p: faults.edited(
            p,
            "nginx/conf.d/default.conf",
            "    location @away {",
            "    location ^~ /web/content/ { return 200 other; }\n    location @away {",
        ),
        failed=True,
    ),
    Fault(
        "Websocket",
        "/websocket answers with status 503",
        lambda p: faults.edited(
            p,
            "nginx/conf.d/default.conf",
            "$odoo_websocket http://odoo:8069",
            "$odoo_websocket http://odoo:9",
        ),
        failed=True,
    ),
    Fault(
        "PDF reports",
        "wkhtmltopdf makes no PDF",
        lambda p: faults.over(p, ["odoo"], "/usr/local/bin/wkhtmltopdf", "#!/bin/sh\nexit 1\n"),
    ),
    Fault(
        "PDF reports",
        "no patched Qt",
        lambda p: faults.over(
            p, ["odoo"], "/usr/local/bin/wkhtmltopdf", "#!/bin/sh\necho %PDF-1.4 unpatched\n"
        ),
    ),
    Fault(
        "Scheduled actions",
        "failing: ",
        lambda p: faults.sql(
            p,
            f"UPDATE ir_cron SET failure_count = 4 WHERE id = {_CRON}",
            "UPDATE ir_cron SET failure_count = 0",
        ),
    ),
    Fault(
        "Scheduled actions",
        "one has been running for",
        lambda p: _with(
            p,
            faults.sessions(p, 1, f"SELECT FROM ir_cron WHERE id = {_CRON} FOR NO KEY UPDATE"),
            CRON_RUNS="-1",
        ),
    ),
    Fault(
        "Modules",
        "not finished: zz_half",
        lambda p: faults.sql(p, *_module("zz_half", "to install")),
    ),
    Fault(
        "Modules",
        "zz_gone",
        lambda p: faults.sql(p, *_module("zz_gone", "installed")),
        failed=True,
    ),
    Fault("Connections", "connections are in use", lambda p: faults.sessions(p, 80)),
    Fault(
        "Transactions",
        "has left a transaction open for",
        lambda p: _with(p, faults.sessions(p, 1, "SELECT 1"), IDLE_TRANSACTION="-1"),
    ),
    Fault("Locks", "1 sessions wait for a lock", _locked),
    Fault(
        "Vacuum",
        "zz_dead has 2000 dead rows",
        lambda p: _with(p, faults.sql(p, *_table("zz_dead", 2000)), DEAD_ROWS="1000"),
    ),
    Fault(
        "Backups",
        "2 attachments have no whole file",
        lambda p: faults.last_backup(p, "20261101-020000-abcd", 2),
    ),
    Fault("Repository", "there is no repository in", faults.repository_gone),
    Fault(
        "Notifications",
        "http://127.0.0.1:9/*** was not told: ConnectionError",
        lambda p: faults.setting(p, "HEALTH_NOTIFY=http://127.0.0.1:9/t0ken"),
    ),
    Fault("Memory", "MiB are available", lambda p: faults.limits(p, MEMORY_WARNING="2")),
    Fault(
        "Clock",
        " s off",
        lambda p: faults.over(
            p, ["nginx", "redis"], "/usr/bin/date", "#!/bin/sh\necho clock 1000000000.5\n"
        ),
        failed=True,
    ),
]


@pytest.mark.parametrize("first", [True, False], ids=["one of each line", "the others"])
def test_a_fault_is_told_by_its_own_line_and_gone_after_it(served: Checkout, first: bool) -> None:
    """As many at once as there are lines: what is red or yellow is what was broken, no more."""
    each = {fault.line: fault for fault in reversed(_FAULTS)}
    chosen = each if first else {f.line: f for f in _FAULTS if each[f.line] is not f}
    with ExitStack() as broken:
        for fault in chosen.values():
            broken.enter_context(fault.break_it(served))
        eventually(lambda: chosen.keys() == Look.at(served).bad.keys(), 20)
        look = Look.at(served)
    assert look.bad.keys() == chosen.keys() and look.unknown == {}, look
    for fault in chosen.values():
        assert fault.says in look.bad[fault.line]
        assert (fault.line in look.failed) == fault.failed, fault
    assert look.code == 1
    assert eventually(lambda: Look.at(served).status == "ok", 20), Look.at(served)


def test_a_process_that_was_killed_for_want_of_memory_is_told(served: Checkout) -> None:
    with faults.out_of_memory(served):
        look = Look.at(served)
    assert list(look.bad) == ["Containers"] and look.code == 0
    assert "redis ran out of memory" in look.bad["Containers"]
    assert eventually(lambda: Look.at(served).status == "ok", 20), Look.at(served)


def test_settings_that_were_changed_since_the_start_ask_for_inv_up(served: Checkout) -> None:
    done = served.inv("health", REDIS_MAXMEMORY="300mb")
    assert "Settings: ! WARNING: changed since it was started" in done.stdout
    assert "redis (inv up)" in done.stdout and "warnings: Settings\n" in done.stdout


def test_another_platform_at_the_port_makes_a_stopped_one_no_healthier(served: Checkout) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok\n<form class='oe_login_form'>")

    assert served.compose("stop", "nginx").returncode == 0
    try:
        with ThreadingHTTPServer(("127.0.0.1", served.http_port), Other) as other:
            Thread(target=other.serve_forever, daemon=True).start()
            assert served.get("/nginx-health") == 200
            look = Look.at(served)
            other.shutdown()
    finally:
        assert served.compose("start", "nginx").returncode == 0
    assert look.failed == dict.fromkeys(["Nginx", "Odoo (proxy)"], "nginx is not running"), look
    assert look.code == 1


@pytest.mark.serial
def test_a_paused_postgresql_costs_its_own_time_only(served: Checkout) -> None:
    container = served.container("odoo_db")
    served.run("docker", "pause", container)
    try:
        started = time.monotonic()
        look = Look.at(served)
        seconds = time.monotonic() - started
    finally:
        served.run("docker", "unpause", container)
    assert "odoo_db is paused" in look.failed["PostgreSQL"]
    assert set(look.failed) <= {"PostgreSQL", "Odoo (proxy)", "Odoo (container)"}, look
    assert {"Connections", "Locks", "Assets", "Websocket"} <= look.unknown.keys()
    assert seconds < _LONGEST * BUSY, seconds


def test_only_some_checks_are_asked_and_unknown_names_are_refused(served: Checkout) -> None:
    assert list(Look.at(served, "--only", "locks,redis").details) == ["Redis", "Locks"]
    done = served.inv("health", "--only", "rediss")
    assert done.returncode == 2 and "Did you mean: redis" in done.stderr


def test_quiet_says_nothing_if_all_is_well_and_strict_fails_on_warnings(
    served: Checkout,
) -> None:
    done = served.inv("health", "--quiet", "--strict")
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    with faults.limits(served, MEMORY_WARNING="2"):
        done = served.inv("health", "--quiet", "--strict")
        assert done.returncode == 1 and "Memory: ! WARNING" in done.stdout
        assert served.inv("health", "--quiet").returncode == 0


def test_a_look_leaves_no_session_no_key_and_no_attachment_behind(served: Checkout) -> None:
    def keys() -> set[str]:
        listed = served.exec("redis", "sh", "/etc/platform/cli", "keys", "*")
        return {key for key in listed.stdout.split() if key != "platform:health"}

    before, rows = keys(), served.sql("SELECT count(*) FROM ir_attachment")
    look = Look.at(served)
    assert look.status == "ok" and "Attachments" in look.details
    assert keys() <= before and served.sql("SELECT count(*) FROM ir_attachment") == rows
