"""Lines of Odoo's log as JSON (odoo/json_log.py); the real server is in tests/e2e/production."""

import json
import logging
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import json_log
import pytest


@pytest.fixture(autouse=True)
def _no_request() -> Iterator[None]:
    yield
    vars(threading.current_thread()).pop("request_id", None)
    vars(threading.current_thread()).pop("dbname", None)


def _record(message: str = "hello %s", *args: Any, **fields: Any) -> logging.LogRecord:
    record = logging.LogRecord("odoo.http", logging.INFO, "x.py", 1, message, args, None)
    vars(record).update(fields)
    return record


def _line(record: logging.LogRecord) -> dict[str, Any]:
    text = json_log.Formatter().format(record)
    assert "\n" not in text
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_line_has_what_odoos_own_has() -> None:
    vars(threading.current_thread())["dbname"] = "odoo"
    line = _line(_record("hello %s", "Zoë\n", created=1.5, perf_info="3 0.002 0.010"))
    assert line["time"] == "1970-01-01T00:00:01.500+00:00"
    assert (line["level"], line["logger"], line["database"]) == ("INFO", "odoo.http", "odoo")
    assert line["message"] == "hello Zoë\n"
    assert (line["queries"], line["query_seconds"], line["other_seconds"]) == (3, 0.002, 0.01)


def test_what_is_not_known_is_left_out() -> None:
    vars(threading.current_thread())["dbname"] = "?"
    line = _line(_record("plain", perf_info="- - -"))
    assert line.keys() == {"time", "service", "level", "logger", "message", "pid"}


@pytest.mark.parametrize("args", [(1, 2), ("",), (None,)])
def test_arguments_that_do_not_fit_lose_no_line(args: tuple[Any, ...]) -> None:
    assert _line(_record("%d of", *args))["message"].startswith("%d of (")


def test_names_that_do_not_fit_lose_no_line() -> None:
    assert _line(_record("%(b)s", {"a": 1}))["message"] == "%(b)s {'a': 1}"


def test_a_traceback_is_within_the_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        line = _line(_record("it failed", exc_info=sys.exc_info()))
    assert line["exception"].startswith("Traceback") and "two\nlines" in line["exception"]


def test_lines_of_a_request_have_its_id_and_those_of_the_next_another() -> None:
    seen = []

    class Application:
        def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
            seen.append(_line(_record()).get("request_id"))
            return []

    json_log.follow_requests(Application)
    for asked in ({json_log.HEADER: "a1"}, {json_log.HEADER: "b2"}, {}):
        Application()(asked, None)
        seen.append(_line(_record()).get("request_id"))  # as Werkzeug does, afterwards
    assert seen == ["a1", "a1", "b2", "b2", None, None]


def test_every_handler_that_odoo_makes_writes_json() -> None:
    root, handler = logging.getLogger(), logging.StreamHandler()
    netsvc = SimpleNamespace(init_logger=lambda: root.addHandler(handler))
    json_log.install(netsvc)
    try:
        netsvc.init_logger()
        assert isinstance(handler.formatter, json_log.Formatter)
    finally:
        root.removeHandler(handler)
