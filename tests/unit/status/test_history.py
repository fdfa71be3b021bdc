"""What Prometheus is asked for the last day, and what its answers are taken for."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from scripts.core.errors import OpsError
from scripts.core.http import Reply
from scripts.stack.compose import Service
from scripts.status import history

_RUNNING = Service("prometheus", "p-1", "running", "", 0, (19090,), bound=((19090, 9090),))


def _answer(*series: Sequence[tuple[float, str]]) -> str:
    return json.dumps({"status": "success", "data": {"result": [{"values": s} for s in series]}})


def _ask(monkeypatch: pytest.MonkeyPatch, text: str) -> list[str]:
    asked: list[str] = []

    def get(url: str, timeout: float) -> Reply:
        asked.append(url)
        return Reply(200, text)

    monkeypatch.setattr(history, "get", get)
    return asked


def test_each_quantity_is_asked_for_at_the_port_that_is_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = _ask(monkeypatch, _answer([(1.0, "2.5"), (301.0, "NaN")]))
    found = history.of_the_last_day([_RUNNING])
    assert len(found) == len(asked) == len(history.QUERIES)
    assert all(url.startswith("http://127.0.0.1:19090/api/v1/query_range?") for url in asked)
    assert found[0].points[0] == (1.0, 2.5)


@pytest.mark.parametrize(
    "services",
    [
        [],
        [replace(_RUNNING, state="exited")],
        [replace(_RUNNING, bound=((19090, 1),))],
        [replace(_RUNNING, service="nginx")],
    ],
)
def test_nobody_is_asked_where_prometheus_does_not_run(
    monkeypatch: pytest.MonkeyPatch, services: list[Service]
) -> None:
    asked = _ask(monkeypatch, _answer())
    assert (history.of_the_last_day(services), asked) == ([], [])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        "[]",
        "null",
        '{"data": {"result": []}}',
        '{"data": {"result": [{"values": [[1]]}]}}',
        '{"data": {"result": [{"values": [[1, "x"]]}]}}',
        _answer([(1.0, "1")], [(1.0, "2")]),
    ],
)
def test_another_answer_is_no_history(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    _ask(monkeypatch, text)
    assert history.of_the_last_day([_RUNNING]) == []


def test_no_answer_is_no_history(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(url: str, timeout: float) -> Reply:
        raise OpsError("nothing answers")

    monkeypatch.setattr(history, "get", get)
    assert history.of_the_last_day([_RUNNING]) == []
