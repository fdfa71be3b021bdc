"""Odoo's log as JSON, one object a line, with LOG_FORMAT=json in .env.

It is on the Python path of every container of Odoo (PYTHONPATH in compose.yaml), and
platform-odoo calls it. Edit by hand freely; afterwards run: ./scripts/inv restart --service odoo

`request_id` is the one that Nginx has given the request (its own log has it, too); it is missing
in lines that are about no request. Works for Odoo 18 and 19.
"""

import functools
import json
import logging
import os
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

HEADER = "HTTP_X_REQUEST_ID"  # of nginx/snippets/odoo-headers.conf, in WSGI's spelling
# What Odoo's own formatter shows of a request: queries, their seconds, those of the rest.
TIMES = ("queries", "query_seconds", "other_seconds")


class Formatter(logging.Formatter):
    """A line of Odoo's log, as an object."""

    def format(self, record: logging.LogRecord) -> str:
        """The object as text, without a line break; what JSON does not know becomes a text."""
        return json.dumps(self.fields(record), default=str, ensure_ascii=False)

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """What there is to say; what is not known is left out."""
        thread = threading.current_thread()
        try:
            message = record.getMessage()
        except (KeyError, TypeError, ValueError):  # arguments that do not fit
            message = f"{record.msg} {record.args}"
        found: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "service": "odoo",
            "level": record.levelname,
            "logger": record.name,
            "message": message,
            "pid": os.getpid(),
            "database": getattr(thread, "dbname", None),
            "request_id": getattr(thread, "request_id", None),
            **dict(zip(TIMES, _numbers(getattr(record, "perf_info", "")), strict=False)),
        }
        if record.exc_info:
            found["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            found["stack"] = self.formatStack(record.stack_info)
        return {name: value for name, value in found.items() if value not in (None, "", "?")}


def _numbers(times: str) -> list[float]:
    try:
        return [float(word) if "." in word else int(word) for word in times.split()]
    except ValueError:  # `- - -`: the line is about no request
        return []


def install(netsvc: Any) -> None:
    """Have every handler write JSON, as soon as `netsvc` (odoo.netsvc) has made it."""
    init_logger = netsvc.init_logger

    @functools.wraps(init_logger)
    def init_json_logger() -> None:
        init_logger()
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setFormatter(Formatter())

    netsvc.init_logger = init_json_logger


def follow_requests(application: type) -> None:
    """Have `application` (odoo.http.Application) note whose request each thread answers.

    Werkzeug logs a request after the application has returned: it is noted until the next one.
    """
    call: Callable[..., Iterable[bytes]] = application.__call__

    @functools.wraps(call)
    def noted(self: Any, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        threading.current_thread().request_id = environ.get(HEADER)  # type: ignore[attr-defined]
        return call(self, environ, start_response)

    application.__call__ = noted  # type: ignore[method-assign]
