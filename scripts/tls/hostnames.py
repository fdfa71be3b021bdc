"""The names a certificate is for: domains and IP addresses."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import Final

from scripts.core.errors import UsageError

LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")
_LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_TOP_LABEL: Final = rf"(?!\d+$){_LABEL}"  # digits alone would be half an address
_DOMAIN: Final = re.compile(rf"(\*\.{_LABEL}\.)?({_LABEL}\.)*{_TOP_LABEL}")


def parse_names(given: Iterable[str], *, local: bool = True) -> tuple[str, ...]:
    """`given` in canonical form, without repetitions, then the names of this machine if `local`.

    Raises UsageError naming every entry that is neither a domain nor an address.
    """
    cleaned = [name.strip().lower() for name in given if name.strip()]
    canonical = {name: _canonical(name) for name in cleaned}
    wrong = [repr(name) for name, known in canonical.items() if not known]
    if wrong:
        raise UsageError(
            f"neither a domain nor an IP address: {', '.join(wrong)}",
            "Give plain names such as odoo.example.com,192.0.2.7: no https://, no port; "
            "a name with other than ASCII letters in its xn-- form.",
        )
    return tuple(dict.fromkeys([*canonical.values(), *(LOCAL_NAMES if local else ())]))


def addresses(names: Iterable[str]) -> tuple[str, ...]:
    """Those of `names` that are IP addresses."""
    return tuple(name for name in names if address(name))


def site_names(names: Sequence[str]) -> tuple[str, ...]:
    """Those of `names` that Nginx can serve a site under, a plain one first; () for addresses only.

    Raises UsageError for a wildcard without a plain name to be the address of the site.
    """
    served = [name for name in names if ":" not in name]
    plain = [name for name in served if not name.startswith("*") and not address(name)]
    if plain:
        return tuple(dict.fromkeys([plain[0], *served]))
    wildcards = [name for name in served if name.startswith("*")]
    if wildcards:
        raise UsageError(
            f"{wildcards[0]} alone is no address of a site", "Give a plain name as well."
        )
    return ()


def _canonical(name: str) -> str:
    if found := address(name):
        return str(found)
    return name if len(name) <= 253 and _DOMAIN.fullmatch(name) else ""


def address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """`name` as an IP address, None if it is none."""
    try:
        return None if "%" in name else ipaddress.ip_address(name)
    except ValueError:
        return None
