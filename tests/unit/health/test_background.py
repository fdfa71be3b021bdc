"""What is made of the answers about mail, scheduled actions, jobs, modules and PostgreSQL."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scripts import checkup
from scripts.core.checks import Result, Status, run_all
from scripts.health import limits
from scripts.health.database import most_connections
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeRunner, says, settings_in
from tests.unit.support.health import ODOO, POSTGRESQL, SERVER, WELL, Site, odoo_says

_HOUR = 3600
_FACTS: dict[str, Any] = {
    "connections": {"used": 5, "most": 100, "reserved": 3},
    "age": {"database": "odoo", "age": 400},
    "locks": {"waiting": 0, "seconds": 0, "blocker": None},
    "transactions": [],
    "tables": [{"name": "a", "dead": 9, "live": 1}],
    "cron": {"last": 60, "running": 0, "late": [], "failing": []},
    "modules": [],
    "made": {"seconds": 9},
    "mail": {"waiting": 0, "seconds": 0, "failed": 0, "reason": None},
    "jobs": {"waiting": 0, "seconds": 0, "key": True},
}


def _rows(
    folder: Path,
    facts: Mapping[str, Any] | None = None,
    *,
    up: timedelta = timedelta(days=9),
    without: str = "",
    command: list[str] | None = None,
    **odoo: Any,
) -> dict[str, Result]:
    (folder / "postgres").mkdir(exist_ok=True)
    (folder / "postgres" / "health").write_text("")
    told = {**_FACTS, **(facts or {})}
    lines = [f"{name} {json.dumps(said)}" for name, said in told.items() if name != without]
    started = (datetime.now(UTC) - up).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
    base = WELL["docker ps"]
    assert not isinstance(base, Exception)
    rows = [
        json.loads(row) | {"StartedAt": started, "Command": command}
        for row in base.stdout.splitlines()
    ]
    answers = {
        **WELL,
        "docker ps": says("\n".join(map(json.dumps, rows))),
        POSTGRESQL: says("\n".join([*lines, SERVER])),
        ODOO: odoo_says(**{"modules": "", **odoo}),
    }
    stack = Stack(settings_in(folder), FakeRunner(answers))
    return {row.name: row for row in run_all(checkup.checks(stack, 4))}


def _late(seconds: int, every: int = 60) -> dict[str, Any]:
    return {
        "last": 9,
        "running": 0,
        "failing": [],
        "late": [{"name": "X", "seconds": seconds, "every": every}],
    }


_WRONG: list[tuple[str, dict[str, Any], Status, str]] = [
    ("Outgoing mail", {"mail": {**_FACTS["mail"], "waiting": 3, "seconds": 2 * _HOUR}},
     Status.WARNING, "3 messages wait, the oldest for 2 h"),
    ("Outgoing mail", {"mail": {**_FACTS["mail"], "failed": 2, "reason": "refused\n by it"}},
     Status.WARNING, "2 messages could not be sent since yesterday; the last: refused by it"),
    ("Scheduled actions", {"cron": _late(20 * 60)}, Status.WARNING, "overdue, by up to 20 min: X"),
    ("Scheduled actions", {"cron": _late(8 * _HOUR)}, Status.FAILED, "overdue, by up to 8 h: X"),
    ("Scheduled actions", {"cron": {**_FACTS["cron"], "running": 3 * _HOUR}},
     Status.WARNING, "one has been running for 3 h"),
    ("Scheduled actions", {"cron": {**_FACTS["cron"], "failing": [{"name": "X", "times": 3}]}},
     Status.WARNING, "failing: X (3 times)"),
    ("Job queue", {"jobs": {"waiting": 2, "seconds": 2 * _HOUR, "key": False}},
     Status.WARNING, "2 jobs wait for the queue, the oldest for 2 h: mcp_jobs.key is not set"),
    ("Modules", {"modules": ["sale (to upgrade)"]}, Status.WARNING, "not finished: sale"),
    ("Connections", {"connections": {"used": 80, "most": 100, "reserved": 3}},
     Status.WARNING, "80 of 97 connections are in use"),
    ("Connections", {"connections": {"used": 97, "most": 100, "reserved": 3}},
     Status.FAILED, "97 of 97 connections are in use"),
    ("Transactions", {"transactions": [
        {"pid": 7, "state": "active", "program": "psql", "seconds": 2 * _HOUR, "unchanged": 1}]},
     Status.WARNING, "process 7 (psql) has been in one transaction for 2 h"),
    ("Transactions", {"transactions": [
        {"pid": 7, "state": "idle", "program": "x", "seconds": 1200, "unchanged": 1200}]},
     Status.WARNING, "process 7 (x) has left a transaction open for 20 min"),
    ("Locks", {"locks": {"waiting": 2, "seconds": 31, "blocker": 7}},
     Status.WARNING, "2 sessions wait for a lock, since 31 s; process 7 holds it"),
    ("Vacuum", {"age": {"database": "a", "age": 600_000_000}}, Status.WARNING, "was not frozen"),
    ("Vacuum", {"age": {"database": "a", "age": 1_600_000_000}}, Status.FAILED, "was not frozen"),
    ("Vacuum", {"tables": [{"name": "a", "dead": 2_000_000, "live": 1}]},
     Status.WARNING, "a has 2000000 dead rows beside 1 living"),
]  # fmt: skip
_NAMES = ("Outgoing mail", "Scheduled actions", "Job queue", "Modules", "Connections",
          "Transactions", "Locks", "Vacuum")  # fmt: skip


@pytest.mark.parametrize(("name", "facts", "status", "said"), _WRONG)
def test_what_is_wrong_is_told_by_its_own_line(
    tmp_path: Path, site: Site, name: str, facts: dict[str, Any], status: Status, said: str
) -> None:
    rows = _rows(tmp_path, facts)
    assert [row for row in _NAMES if rows[row].status is not Status.OK] == [name]
    assert rows[name].status is status and said in rows[name].detail


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"cron": _late(10 * 60)},
        {"cron": _late(50 * 60, every=_HOUR)},
        {"cron": {**_late(40 * 60), "running": 30 * 60}},  # it is that one, or waits for it
        {"cron": {**_FACTS["cron"], "failing": [{"name": "X", "times": 2}]}},
        {"mail": {**_FACTS["mail"], "waiting": 3, "seconds": _HOUR}},
        {"locks": {"waiting": 2, "seconds": 29, "blocker": 7}},
    ],
)
def test_what_is_within_its_limits_is_well(
    tmp_path: Path, site: Site, facts: dict[str, Any]
) -> None:
    rows = _rows(tmp_path, facts)
    assert {rows[name].status for name in _NAMES} == {Status.OK}


def test_what_waited_while_odoo_was_down_is_not_late_yet(tmp_path: Path, site: Site) -> None:
    waits = {
        "cron": _late(9 * _HOUR),
        "mail": {**_FACTS["mail"], "waiting": 1, "seconds": 9 * _HOUR},
    }
    rows = _rows(tmp_path, waits, up=timedelta(minutes=2))
    assert {rows[name].status for name in _NAMES} == {Status.OK}


@pytest.mark.parametrize(("name", "line"), [("mail", "Outgoing mail"), ("jobs", "Job queue")])
def test_what_odoo_has_no_module_for_has_no_line(
    tmp_path: Path, site: Site, name: str, line: str
) -> None:
    assert line not in _rows(tmp_path, without=name)


def test_what_postgresql_does_not_tell_is_unknown(tmp_path: Path, site: Site) -> None:
    rows = _rows(tmp_path, without="tables")  # Odoo's role could not log in
    unknown = {name for name in _NAMES if rows[name].status is Status.UNKNOWN}
    assert unknown == {"Outgoing mail", "Scheduled actions", "Job queue", "Modules", "Vacuum"}


def test_an_installed_module_without_files_is_failed(tmp_path: Path, site: Site) -> None:
    row = _rows(tmp_path, modules="a, b, c, d")["Modules"]
    assert row.status is Status.FAILED and row.detail.endswith("anywhere else: a, b, c and 1 more")


@pytest.mark.parametrize(
    ("said", "status"), [("", Status.OK), ("unpatched", Status.WARNING), ("gone", Status.WARNING),
                         (None, Status.UNKNOWN)]
)  # fmt: skip
def test_pdf_reports(tmp_path: Path, site: Site, said: str | None, status: Status) -> None:
    assert _rows(tmp_path, reports=said)["PDF reports"].status is status


def test_odoo_that_may_open_more_connections_than_there_are_is_a_warning(
    tmp_path: Path, site: Site
) -> None:
    processes = {"workers": 8, "max_cron_threads": 2, "db_maxconn": 16, "db_maxconn_gevent": 32}
    row = _rows(tmp_path, processes=processes)["Connections"]
    assert row.status is Status.WARNING
    assert row.detail == "Odoo may open 192 connections, and PostgreSQL has 97"


@pytest.mark.parametrize(
    ("configured", "command", "most"),
    [
        ({"workers": 4, "max_cron_threads": 2, "db_maxconn": 16, "db_maxconn_gevent": 32}, [], 128),
        ({"workers": 4, "max_cron_threads": 2, "db_maxconn": 16}, ["--workers=0"], 16),
        ({"workers": 2, "db_maxconn": 10}, ["odoo", "--max-cron-threads=1"], 40),
        ({"workers": 2, "db_maxconn": 10}, ["--db_maxconn=20", "--db-maxconn-gevent=5"], 85),
        ({}, ["--workers=9"], 0),
    ],
)
def test_the_connections_of_all_processes_are_counted(
    configured: dict[str, int], command: list[str], most: int
) -> None:
    assert most_connections(configured, command) == most


@pytest.mark.parametrize(("load", "times"), [(0.1, 1), (1, 1), (2.5, 2.5), (50, 4)])
def test_limits_grow_with_the_load(
    monkeypatch: pytest.MonkeyPatch, load: float, times: float
) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (load * 2, 0, 0))
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert limits.seconds() == pytest.approx(limits.SECONDS * times)
    assert limits.inside(limits.seconds()) < limits.seconds()
