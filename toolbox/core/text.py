"""Words for people: what may be shown on a terminal, and the time."""

from datetime import UTC, datetime


def printable(text: str) -> str:
    """`text` as it may be shown on a terminal: names in it may be of a stranger's choice."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
