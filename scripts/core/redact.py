"""Keeps secret values out of everything that is shown."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from scripts.core import addresses
from scripts.core.addresses import MASK

_SECRET_NAME: Final = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL")
_NO_SECRET: Final = re.compile(r"_(FILE|PATH|FOLDER)$")
_PASSWORD_IN_URL: Final = re.compile(r"://[^/@\s]*:[^/@\s]+@")
_WEBHOOK: Final = re.compile(r"_(NOTIFY|PING|WEBHOOK)$")
_SHORTEST: Final = 8  # anything shorter also occurs by chance in ordinary text


def is_secret(name: str, value: str) -> bool:
    """Whether a variable seems to hold a secret, by its name or as a password in an address."""
    by_name = _SECRET_NAME.search(name.upper()) and not _NO_SECRET.search(name.upper())
    return bool(by_name or _PASSWORD_IN_URL.search(value))


def is_webhook(name: str) -> bool:
    """Whether a variable holds addresses that are all that one needs."""
    return bool(_WEBHOOK.search(name))


def variable(name: str, value: str) -> str:
    """`value` as it may be shown: without passwords and tokens, those in addresses too."""
    if is_secret(name, ""):
        return MASK if value else ""
    if is_webhook(name):
        return addresses.masked(value)
    value = re.sub(r"(://[^/@\s:]*):.*@", rf"\1:{MASK}@", value)  # a password
    value = re.sub(r"(https?://)[^/@\s:]+@", rf"\1{MASK}@", value)  # a token in its place
    return re.sub(r"(://[^?#\s]*[?#]).+", rf"\1{MASK}", value, flags=re.DOTALL)


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
