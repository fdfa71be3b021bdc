"""Keeps secret values out of everything that is shown."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

MASK: Final = "***"
_SHORTEST: Final = 8  # anything shorter also occurs by chance in ordinary text


def redactor(folder: Path) -> Callable[[str], str]:
    """A function that masks the values in `folder/**/*.txt` as they are when it is called."""

    def redact(text: str) -> str:
        values = {value for path in _files(folder) for value in _values(path)}
        for value in sorted(values, key=len, reverse=True):  # one may begin with another
            text = text.replace(value, MASK)
        return text

    return redact


def _files(folder: Path) -> list[Path]:
    try:
        return list(folder.rglob("*.txt"))
    except FileNotFoundError:  # a folder in it went while we looked
        return list(folder.glob("*.txt"))


def _values(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    return [line.strip() for line in lines if len(line.strip()) >= _SHORTEST]
