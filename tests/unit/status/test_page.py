"""The page of `inv status --serve`, and its plots."""

import math
import re
import time
from collections.abc import Sequence

import pytest

from scripts.backups.freshness import BackupState
from scripts.status import page, plot
from scripts.status.history import DAY, STEP, Series
from scripts.status.report import Report

_NOW = 1_800_000_000.0


def _report(**changes: object) -> Report:
    fields: dict[str, object] = {
        "runs": "running",
        "services": {"odoo": "running"},
        "environment": "production",
        "url": "https://odoo.test",
        "backup": BackupState("", "", "", ""),
        **changes,
    }
    return Report(**fields)  # type: ignore[arg-type]


def _html(report: Report, history: Sequence[Series] = ()) -> str:
    return page.html(report, history, "acme", _NOW)


def _series(values: Sequence[float], unit: str = "", first: float = DAY) -> Series:
    points = [(_NOW - first + n * STEP, value) for n, value in enumerate(values)]
    return Series("Requests", unit, points)


def _lines(svg: str) -> list[list[tuple[float, float]]]:
    """The places that each of its lines goes through."""
    return [
        [(float(x), float(y)) for x, y in (place.split(",") for place in line.split())]
        for line in re.findall(r'<polyline points="([^"]*)"', svg)
    ]


def test_the_page_has_what_status_tells() -> None:
    html = _html(_report(attention=["Backup: none was verified"], unanswered=["Volumes"]))
    assert "<th>URL</th><td>https://odoo.test</td>" in html
    assert "<th>odoo</th><td>running</td>" in html
    assert "<li>Backup: none was verified</li>" in html
    assert "Not known yet: Volumes" in html
    assert '<span class="warn">running</span>' in html


@pytest.mark.parametrize(("runs", "state"), [("running", "good"), ("stopped", "bad")])
def test_the_state_is_seen_by_its_colour(runs: str, state: str) -> None:
    html = _html(_report(runs=runs))
    assert f'<span class="{state}">{runs}</span>' in html
    assert "Nothing needs attention" in html


def test_nothing_that_is_told_becomes_markup() -> None:
    bad = "<script>alert('$name')</script>&"
    report = _report(url=bad, services={bad: bad}, attention=[bad], runs=bad)
    html = page.html(report, [Series(bad, bad, [(_NOW, 1)])], bad, _NOW)
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 6


def test_without_history_it_says_how_to_get_plots() -> None:
    html = _html(_report())
    assert "inv up --monitoring" in html and "<svg" not in html
    assert "inv up --monitoring" not in _html(_report(), [_series([1, 2])])


def test_a_day_is_as_wide_as_the_plot_and_its_highest_value_fits() -> None:
    [line] = _lines(plot.svg(_series([0.0, 7.3, *[3.0] * 287]), _NOW))
    assert [place[0] for place in (line[0], line[-1])] == [0.0, 360.0]
    assert all(0 <= y <= 90 for _, y in line)
    assert line[0][1] == 90 and line[1][1] < 30


def test_a_percentage_is_of_a_hundred() -> None:
    [line] = _lines(plot.svg(_series([50.0, 100.0], "%"), _NOW))
    assert [y for _, y in line] == [45.0, 0.0]


def test_there_is_no_line_through_a_gap_or_outside_the_day() -> None:
    points = [(_NOW - n * STEP, 1.0) for n in (300, 100, 99, 98, 50, 49, 2, -3)]
    lines = _lines(plot.svg(Series("x", "", points), _NOW))
    assert [len(line) for line in lines] == [3, 2, 2]


@pytest.mark.parametrize("values", [[], [math.nan, math.inf], [0.0], [-1.0], [1e12, 3]])
def test_values_of_any_kind_make_a_plot(values: list[float]) -> None:
    svg = plot.svg(_series(values), _NOW)
    assert svg.startswith("<svg") and svg.endswith("</svg>")
    assert "nan" not in svg and "inf" not in svg
    assert ("no data" in svg) == (not any(math.isfinite(v) for v in values))


@pytest.mark.parametrize(
    ("highest", "top"), [(0.0, "1"), (0.4, "0.5"), (7.3, "10"), (11, "20"), (240, "250")]
)
def test_the_scale_ends_at_a_number_that_reads_well(highest: float, top: str) -> None:
    assert f'<text class="axis" x="2" y="10">{top}</text>' in plot.svg(_series([highest]), _NOW)


def test_hours_are_those_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        shown = re.findall(r">(\d\d:\d\d)<", plot.svg(_series([1.0]), _NOW))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert set(shown) == {"00:00", "06:00", "12:00", "18:00"}
