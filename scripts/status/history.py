"""The last day of the platform, as Prometheus of the profile monitoring has it."""

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from scripts.core.errors import OpsError
from scripts.core.http import get
from scripts.stack.compose import Service

DAY: Final = 86_400  # seconds
STEP: Final = 300  # seconds between two points
_SECONDS: Final = 3.0  # for each question
_PORT: Final = 9090  # of Prometheus, in its container
# By monitoring/rules/recording.yml.
QUERIES: Final = (
    ("Checks of inv health that are not well", "", "count(ipai_health_status > 0) or vector(0)"),
    ("Requests at Nginx", "per second", "sum(ipai:nginx_requests:rate5m)"),
    ("Processors", "%", "100 * max(ipai:host_cpu_used:ratio)"),
    ("Memory", "%", "100 * max(ipai:host_memory_used:ratio)"),
    ("Fullest disk", "%", "100 * max(ipai:host_disk_used:ratio)"),
    ("PostgreSQL: transactions", "per second", "sum(ipai:postgresql_transactions:rate5m)"),
    ("PostgreSQL: connections", "%", "100 * max(ipai:postgresql_connections:ratio)"),
    ("Redis: memory", "%", "100 * max(ipai:redis_memory:ratio)"),
)


@dataclass(frozen=True)
class Series:
    """One quantity over a day: pairs of a time (Unix seconds) and a value, in order."""

    title: str
    unit: str
    points: Sequence[tuple[float, float]] = ()


def of_the_last_day(services: Sequence[Service]) -> list[Series]:
    """All quantities; none where Prometheus does not run or answer."""
    running = [s for s in services if s.service == "prometheus" and s.state == "running"]
    port = next((host for s in running for host, own in s.bound if own == _PORT), 0)
    if not port:
        return []
    end = time.time()
    with ThreadPoolExecutor(len(QUERIES)) as pool:
        asked = [pool.submit(_points, port, query, end) for *_, query in QUERIES]
        named = zip(QUERIES, asked, strict=True)
        series = [Series(title, unit, a.result()) for (title, unit, _), a in named]
    return series if any(s.points for s in series) else []


def _points(port: int, query: str, end: float) -> list[tuple[float, float]]:
    span = {"query": query, "start": f"{end - DAY:.0f}", "end": f"{end:.0f}", "step": str(STEP)}
    try:
        reply = get(
            f"http://127.0.0.1:{port}/api/v1/query_range?{urlencode(span)}", timeout=_SECONDS
        )
        return _parsed(json.loads(reply.text))
    except (OpsError, ValueError):
        return []


def _parsed(answer: Any) -> list[tuple[float, float]]:
    """The values of the only series in `answer`; none where it is of another form."""
    try:
        [series] = answer["data"]["result"]
        return [(float(moment), float(value)) for moment, value in series["values"]]
    except (KeyError, TypeError, ValueError):
        return []
