"""Checks: the rows that they give, and the failures that stop a command."""

import threading

import pytest

from scripts.core.checks import Check, Finding, Result, Status, once, require, run_all, worst
from scripts.core.errors import OpsError


def test_rows_keep_the_order_of_the_checks_however_long_each_takes() -> None:
    last_is_done = threading.Event()

    def slow() -> Finding:
        assert last_is_done.wait(10), "the checks do not run side by side"
        return Finding(Status.OK)

    def quick() -> Finding:
        last_is_done.set()
        return Finding(Status.WARNING)

    rows = run_all([Check("first", slow), Check("last", quick)])
    assert [(row.name, row.status) for row in rows] == [
        ("first", Status.OK),
        ("last", Status.WARNING),
    ]


def test_a_crashing_probe_is_a_failed_row_and_hides_no_other() -> None:
    def crash() -> Finding:
        raise ZeroDivisionError("by accident")

    def fail() -> Finding:
        raise OpsError("no answer", "look there")

    rows = run_all([Check("a", crash), Check("b", fail), Check("c", lambda: Finding(Status.OK))])
    assert [row.status for row in rows] == [Status.FAILED, Status.FAILED, Status.OK]
    assert rows[0].detail == "ZeroDivisionError: by accident"
    assert (rows[1].detail, rows[1].hint) == ("no answer", "look there")


def test_no_checks_give_no_rows() -> None:
    assert run_all([]) == []


def test_require_lists_every_failure_and_each_hint_once() -> None:
    rows = [
        Result("A", Status.FAILED, "broken", "repair it", 0.0),
        Result("B", Status.OK, "fine", "never shown", 0.0),
        Result("C", Status.FAILED, "gone", "repair it", 0.0),
        Result("D", Status.WARNING, "shaky", "never shown", 0.0),
    ]
    with pytest.raises(OpsError) as caught:
        require(rows, "it was not started")
    assert caught.value.message == "it was not started:\n  A: broken\n  C: gone"
    assert caught.value.hint == "repair it"


def test_a_warning_does_not_stop_anything() -> None:
    require([Result("D", Status.WARNING, "shaky", "", 0.0)], "it was not started")


def test_something_asked_for_twice_at_once_is_asked_once() -> None:
    asked: list[int] = []

    def counts() -> int:
        asked.append(1)
        return len(asked)

    def fails() -> int:
        asked.append(2)
        raise OpsError("no")

    question = once(counts)
    assert [question(), question()] == [1, 1]

    failing = once(fails)
    for _ in range(2):
        with pytest.raises(OpsError, match="no"):
            failing()
    assert asked == [1, 2]


def test_the_worst_of_several_findings_has_the_details_of_its_kind() -> None:
    found = [
        Finding(Status.WARNING, "a"),
        Finding(Status.FAILED, "b", "B"),
        Finding(Status.FAILED, "c"),
    ]
    assert worst(found) == Finding(Status.FAILED, "b; c", "B")
    assert worst(found[:1]) == found[0]
    assert worst([]) == Finding(Status.OK)
