"""Text for terminals and manifests."""

from datetime import UTC, datetime


def printable(text: str) -> str:
    """`text` as it may be shown on a terminal: it may contain untrusted names."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def last_line(text: str) -> str:
    """The last line of `text`, else ''. What begins with a tab explains the one before (libpq)."""
    lines = text.strip().splitlines()
    return next((x.strip() for x in reversed(lines) if x.strip() and x[:1] != "\t"), "")
