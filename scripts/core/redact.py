"""Keeps secret values out of everything that is shown."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

MASK: Final = "***"
_SHORTEST: Final = 8  # anything shorter also occurs by chance in ordinary text


def redactor(files: Iterable[Path]) -> Callable[[str], str]:
    """A function that masks the values stored in `files`, which are read at its first use."""
    pending = iter(files)
    values: list[str] = []

    def redact(text: str) -> str:
        for path in pending:
            values.extend(_values(path))
        for value in values:
            text = text.replace(value, MASK)
        return text

    return redact


def _values(path: Path) -> list[str]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    return [line.strip() for line in lines if len(line.strip()) >= _SHORTEST]
