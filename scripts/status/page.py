"""What `inv status` tells as a page, with plots of the last day."""

import time
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Final

from scripts.status import plot
from scripts.status.history import Series
from scripts.status.report import Report

STYLE: Final = (Path(__file__).parent / "style.css").read_bytes()
_PAGE: Final = Template((Path(__file__).parent / "page.html").read_text(encoding="utf-8"))
_NO_PLOTS: Final = (
    "<p>Plots need the profile <code>monitoring</code>, and some minutes:"
    " <code>inv up --monitoring</code></p>"
)


def html(report: Report, history: Sequence[Series], project: str, now: float) -> str:
    """The whole page; `now` is the time (Unix seconds) that `history` ends at."""
    well = report.runs == "running" and not report.attention
    state = "good" if well else "warn" if report.runs == "running" else "bad"
    names = {"state": state, "runs": report.runs, "name": project}
    return _PAGE.substitute(
        {name: escape(value) for name, value in names.items()},
        title=escape(f"{project}: {report.runs}"),
        facts=_rows(report.rows),
        services=_rows(report.services),
        attention=_attention(report),
        plots=_plots(history, now),
        time=time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(now)),
    )


def _rows(facts: Mapping[str, str]) -> str:
    pairs = [(escape(name), escape(text)) for name, text in facts.items()]
    return "".join(f"<tr><th>{name}</th><td>{text}</td></tr>" for name, text in pairs)


def _attention(report: Report) -> str:
    said = [f"Not known yet: {', '.join(report.unanswered)}"] if report.unanswered else []
    lines = [*report.attention, *said]
    if not lines:
        return '<p class="good">Nothing needs attention</p>'
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<h2>Needs attention</h2><ul class="warn">{items}</ul>'


def _plots(history: Sequence[Series], now: float) -> str:
    if not history:
        return _NO_PLOTS
    figures = [
        f"<figure><figcaption><span>{escape(series.title)}</span>"
        f"<strong>{escape(plot.latest(series))}</strong></figcaption>"
        f"{plot.svg(series, now)}</figure>"
        for series in history
    ]
    return f'<div class="plots">{"".join(figures)}</div>'
