"""The health report as docs/health.md shows it, and as docs/json.md does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from scripts.core.checks import Result, Status

VERSION: Final = 1  # of the document; changes when a field is removed, or means something else
SERVICES: Final = "Services"  # the group that has no heading
_CANNOT_TELL: Final = 2
_MARKS: Final = {
    Status.OK: ("✓", "green", "OK"),
    Status.WARNING: ("!", "yellow", "WARNING"),
    Status.FAILED: ("✗", "red", "FAILED"),
    Status.UNKNOWN: ("?", "yellow", "UNKNOWN"),
}
Paint = Callable[[str, str], str]


@dataclass(frozen=True)
class CheckRow:
    """One check in the document."""

    name: str
    group: str
    status: str
    detail: str
    hint: str
    seconds: float

    @classmethod
    def of(cls, row: Result) -> "CheckRow":
        """The one of `row`."""
        told = (row.status.value, row.detail, row.hint)
        return cls(row.name, row.group, *told, row.seconds)


@dataclass(frozen=True)
class Document:
    """The report for machines."""

    version: int
    time: str
    status: str  # the worst of all: failed, unknown, warning or ok
    checks: list[CheckRow]


@dataclass(frozen=True)
class Report:
    """What one look at the platform has found."""

    rows: Sequence[Result]

    @property
    def status(self) -> Status:
        """The one that decides on the exit code."""
        order = (Status.FAILED, Status.UNKNOWN, Status.WARNING)
        return next((s for s in order if self._named(s)), Status.OK)

    @property
    def bad(self) -> bool:
        """Whether there is anything to tell."""
        return self.status is not Status.OK

    def exit_code(self, *, strict: bool) -> int:
        """1 if a check has failed (with `strict` also for warnings), 2 if one cannot tell."""
        bad = {Status.FAILED, Status.WARNING} if strict else {Status.FAILED}
        if any(row.status in bad for row in self.rows):
            return 1
        return _CANNOT_TELL if self._named(Status.UNKNOWN) else 0

    @property
    def document(self) -> Document:
        """For machines."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return Document(VERSION, now, self.status.value, [CheckRow.of(row) for row in self.rows])

    def lines(self, paint: Paint) -> list[str]:
        """For people, a line each; `paint(text, colour)` colours or leaves as it is."""
        shown = ["=== Platform Health Check ==="]
        for group, rows in groupby(self.rows, lambda row: row.group or SERVICES):
            if group != SERVICES:
                shown.append(f"--- {group} ---")
            shown += [line(row, paint) for row in rows]
        return [*shown, "=== Summary ===", self._verdict(paint)]

    def _named(self, status: Status) -> str:
        return ", ".join(row.name for row in self.rows if row.status is status)

    def _verdict(self, paint: Paint) -> str:
        warned, unknown = self._named(Status.WARNING), self._named(Status.UNKNOWN)
        if failed := self._named(Status.FAILED):
            return paint(f"Unhealthy: {failed}", "red")
        if unknown:
            also = f"; warnings: {warned}" if warned else ""
            return paint(f"Cannot tell: {unknown}{also}", "yellow")
        if warned:
            return paint(f"All services work; warnings: {warned}", "yellow")
        if not self.rows:
            return "Nothing to check here"
        return paint("All services healthy", "green")


def line(result: Result, paint: Paint) -> str:
    """A row for people."""
    mark, colour, word = _MARKS[result.status]
    shown = f"{result.name}: {paint(mark, colour)} {word}"
    if result.status is Status.OK:
        return shown
    detail = f": {result.detail}" if result.detail else ""
    see = "see: " if result.hint.startswith("inv logs") else ""
    hint = f" ({see}{result.hint})" if result.hint else ""
    return f"{shown}{detail}{hint}"
