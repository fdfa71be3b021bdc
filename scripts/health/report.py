"""The health report as the README shows it."""

from collections.abc import Callable, Sequence

from scripts.core.checks import Result, Status


def lines(results: Sequence[Result], paint: Callable[[str, str], str]) -> list[str]:
    """The report, a line each; `paint(text, colour)` colours or leaves as it is."""
    rows = [_row(result, paint) for result in results]
    failed = [result.name for result in results if result.status is Status.FAILED]
    verdict = paint("All services healthy", "green")
    if failed:
        verdict = paint(f"Unhealthy: {', '.join(failed)}", "red")
    return ["=== Platform Health Check ===", *rows, "=== Summary ===", verdict]


def _row(result: Result, paint: Callable[[str, str], str]) -> str:
    if result.status is not Status.FAILED:
        return f"{result.name}: {paint('✓', 'green')} OK"
    detail = f": {result.detail}" if result.detail else ""
    hint = f" (see: {result.hint})" if result.hint else ""
    return f"{result.name}: {paint('✗', 'red')} FAILED{detail}{hint}"
