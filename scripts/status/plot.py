"""A plot of one quantity over a day, as SVG without a script."""

import math
import time
from collections.abc import Sequence
from html import escape
from typing import Final

from scripts.status.history import DAY, STEP, Series

_WIDTH: Final = 360
_HEIGHT: Final = 90
_HOURS: Final = 6  # between two lines
_STEPS: Final = (1, 2, 2.5, 5, 10)


def svg(series: Series, now: float) -> str:
    """The plot for the day that ends at `now` (Unix seconds)."""
    kept = [(t, v) for t, v in series.points if math.isfinite(v) and now - DAY <= t <= now]
    top = 100.0 if series.unit == "%" else _round_up(max((v for _, v in kept), default=1.0))
    lines = [_line(part, now, top) for part in _parts(kept)]
    last = f"{_number(kept[-1][1])} {series.unit}".strip() if kept else "no data"
    title = escape(
        f"{series.title}: {last}, at most {_number(max((v for _, v in kept), default=0.0))}"
    )
    return (
        f'<svg role="img" viewBox="0 0 {_WIDTH} {_HEIGHT + 16}"><title>{title}</title>'
        f"{''.join(_grid(now))}"
        f'<text class="axis" x="2" y="10">{_number(top)}</text>'
        f"{''.join(lines)}</svg>"
    )


def latest(series: Series) -> str:
    """Its last value with the unit, for people."""
    known = [v for _, v in series.points if math.isfinite(v)]
    return f"{_number(known[-1])} {series.unit}".strip() if known else "no data"


def _parts(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """`points` without the gaps in which nothing was recorded."""
    parts: list[list[tuple[float, float]]] = []
    for point in points:
        if not parts or point[0] - parts[-1][-1][0] > 1.5 * STEP:
            parts.append([])
        parts[-1].append(point)
    return parts


def _line(points: Sequence[tuple[float, float]], now: float, top: float) -> str:
    places = [(_x(t, now), _HEIGHT * (1 - min(v, top) / top)) for t, v in points]
    if len(places) == 1:  # a line of one point is not drawn
        places.append((places[0][0] + 1.5, places[0][1]))
    return f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}"/>'


def _grid(now: float) -> list[str]:
    here = time.localtime(now)
    passed = (here.tm_hour % _HOURS) * 3600 + here.tm_min * 60 + here.tm_sec
    found = [f'<line x1="0" x2="{_WIDTH}" y1="{_HEIGHT}" y2="{_HEIGHT}"/>']
    for moment in (now - passed - n * _HOURS * 3600 for n in range(DAY // (_HOURS * 3600) + 1)):
        if (x := _x(moment, now)) < 0:
            continue
        hour = time.strftime("%H:%M", time.localtime(moment))
        found.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{_HEIGHT}"/>')
        found.append(f'<text class="axis" x="{x + 2:.1f}" y="{_HEIGHT + 13}">{hour}</text>')
    return found


def _x(moment: float, now: float) -> float:
    return _WIDTH * (1 - (now - moment) / DAY)


def _round_up(value: float) -> float:
    """The next number that reads well; 1 for nothing and less."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in _STEPS if step * power >= value * 0.999)


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
