"""Addresses that notifications go to: how they are written, and how they are shown."""

import re
from typing import Final
from urllib.parse import urlsplit

MASK: Final = "***"
RULE: Final = "addresses such as https://…, ntfy://…, mailto://…, with commas between"
_SCHEME: Final = r"[a-z][a-z0-9+.-]*://"
_ADDRESS: Final = re.compile(rf"{_SCHEME}[^\s/]\S*", re.IGNORECASE)
# A comma inside one, as between two recipients, begins no other.
_BETWEEN: Final = re.compile(rf"[\s,]+(?={_SCHEME})", re.IGNORECASE)
_PARTS: Final = re.compile(r"(https?://)([^/?#]*@)?([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)


def split(text: str) -> tuple[str, ...]:
    """Each of the addresses in `text` once."""
    return tuple(dict.fromkeys(part for part in _BETWEEN.split(text.strip(" ,")) if part))


def are_addresses(text: str) -> bool:
    """Whether `text` is nothing but addresses; whether anybody knows them is another matter."""
    return all(_is_address(part) for part in split(text))


def is_web(text: str, *schemes: str) -> bool:
    """Whether `text` is an address of a site, by one of `schemes`: https or http if none."""
    try:
        parts = urlsplit(text)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:  # of brackets or a port that are none
        return False
    known = parts.scheme in (schemes or ("https", "http"))
    return named and known and not re.search(r"[\s\x00-\x1f]", text)


def _is_address(text: str) -> bool:
    if re.match(r"https?:", text, re.IGNORECASE):
        return is_web(text)
    return bool(_ADDRESS.fullmatch(text))


def masked(text: str) -> str:
    """The addresses in `text` without what may be a token: of a web address its host is left."""
    return ", ".join(map(_masked, split(text)))


def _masked(address: str) -> str:
    # Of what is none, a password with a slash in it would be taken for the host.
    if is_web(address) and (found := _PARTS.match(address)):
        scheme, user, host, rest = found.groups()
        shown = f"{scheme}{MASK}@{host}" if user else f"{scheme}{host}"
        return f"{shown}/{MASK}" if rest.strip("/") else shown + rest
    scheme, separator, _ = address.partition("://")
    return f"{scheme}{separator}{MASK}" if separator else MASK
