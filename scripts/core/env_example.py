"""The variables there are: those that `.env.example` shows, each with its default."""

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

PATH: Final = Path(__file__).resolve().parents[2] / ".env.example"
_LINE: Final = re.compile(r"#?([A-Z][A-Z0-9_]*)=(.*)")


@functools.cache
def variables() -> Mapping[str, str]:
    """Name and default, in the order of the file; none where somebody has removed it."""
    try:
        lines = PATH.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        lines = []
    found = (_LINE.fullmatch(line) for line in lines)
    return MappingProxyType({match[1]: match[2] for match in found if match})
