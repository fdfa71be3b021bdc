"""Text for terminals and manifests."""

from datetime import UTC, datetime


def printable(text: str) -> str:
    """`text` as it may be shown on a terminal: it may contain untrusted names."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
