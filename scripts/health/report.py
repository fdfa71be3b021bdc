"""The health report as docs/health.md shows it."""

from collections.abc import Callable, Sequence
from typing import Final

from scripts.core.checks import Result, Status

_ONLY_IF_BAD: Final = ("Mail", "Volumes", "Backups", "Schedule")
_MARKS: Final = {
    Status.OK: ("✓", "green", "OK"),
    Status.WARNING: ("!", "yellow", "WARNING"),
    Status.FAILED: ("✗", "red", "FAILED"),
}


def lines(results: Sequence[Result], paint: Callable[[str, str], str]) -> list[str]:
    """The report, a line each; `paint(text, colour)` colours or leaves as it is."""
    shown = [r for r in results if r.status is not Status.OK or r.name not in _ONLY_IF_BAD]
    rows = [_row(row, paint) for row in shown]
    return ["=== Platform Health Check ===", *rows, "=== Summary ===", _verdict(shown, paint)]


def _verdict(results: Sequence[Result], paint: Callable[[str, str], str]) -> str:
    failed, warned = (
        ", ".join(row.name for row in results if row.status is status)
        for status in (Status.FAILED, Status.WARNING)
    )
    if failed:
        return paint(f"Unhealthy: {failed}", "red")
    if warned:
        return paint(f"All services work; warnings: {warned}", "yellow")
    return paint("All services healthy", "green")


def _row(result: Result, paint: Callable[[str, str], str]) -> str:
    mark, colour, word = _MARKS[result.status]
    shown = f"{result.name}: {paint(mark, colour)} {word}"
    if result.status is Status.OK:
        return shown
    detail = f": {result.detail}" if result.detail else ""
    see = "see: " if result.hint.startswith("inv logs") else ""
    hint = f" ({see}{result.hint})" if result.hint else ""
    return f"{shown}{detail}{hint}"
