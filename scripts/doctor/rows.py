"""What `inv doctor` finds: rows in groups, each with what to do."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from scripts.core.checks import Finding, Status
from scripts.core.errors import OpsError


@dataclass(frozen=True)
class Row:
    """One check; `detail` is what was found, `hint` what to do."""

    group: str
    name: str
    status: Status
    detail: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Question:
    """A check to be made: a probe raises OpsError, or returns its finding; None: cannot tell."""

    group: str
    name: str
    probe: Callable[[], Finding | None]
    unknown: str = ""  # why nothing can be told, where the probe returns None


_MARKS: Final = {
    Status.OK: ("✓", "green", "OK"),
    Status.WARNING: ("!", "yellow", "WARNING"),
    Status.FAILED: ("✗", "red", "FAILED"),
    Status.UNKNOWN: ("?", "yellow", "UNKNOWN"),
}


def warning(detail: str, hint: str = "") -> Finding:
    """A finding that does not make the run fail."""
    return Finding(Status.WARNING, detail, hint)


def failed(detail: str, hint: str = "") -> Finding:
    """A finding that does."""
    return Finding(Status.FAILED, detail, hint)


def ok(detail: str = "") -> Finding:
    """All is well."""
    return Finding(Status.OK, detail)


def answer(questions: Sequence[Question]) -> list[Row]:
    """A row for each question, in their order; they are asked side by side."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(_ask, questions))


def _ask(question: Question) -> Row:
    try:
        found = question.probe()
    except OpsError as error:
        found = failed(error.message, error.hint)
    except Exception as error:  # a broken probe must not hide the other rows
        found = failed(f"{type(error).__name__}: {error}")
    if found is None:
        return Row(question.group, question.name, Status.UNKNOWN, question.unknown)
    return Row(question.group, question.name, found.status, found.detail, found.hint)


def lines(rows: Sequence[Row], paint: Callable[[str, str], str]) -> list[str]:
    """The rows for people, with a heading for each group."""
    shown, group = ["=== Doctor ==="], ""
    for row in rows:
        if row.group != group:
            group = row.group
            shown.append(f"--- {group} ---")
        mark, colour, word = _MARKS[row.status]
        detail = f": {row.detail}" if row.detail else ""
        hint = f" ({row.hint})" if row.hint and row.status is not Status.OK else ""
        shown.append(f"{row.name}: {paint(mark, colour)} {word}{detail}{hint}")
    return shown


def summary(rows: Sequence[Row], paint: Callable[[str, str], str]) -> list[str]:
    """The verdict for people."""
    named = {level: [r.name for r in rows if r.status is level] for level in Status}
    if named[Status.FAILED]:
        text = paint(f"To be corrected: {', '.join(named[Status.FAILED])}", "red")
    else:
        text = paint("Nothing has to be corrected", "green")
    found = [text]
    if named[Status.WARNING]:
        found.append(paint(f"Warnings: {', '.join(named[Status.WARNING])}", "yellow"))
    if named[Status.UNKNOWN]:
        found.append(f"Not checked: {', '.join(named[Status.UNKNOWN])}")
    return ["=== Summary ===", *found]


def bad(rows: Sequence[Row]) -> bool:
    """Whether one has failed."""
    return any(row.status is Status.FAILED for row in rows)
