"""Typed look-ups in settings, which collect what is wrong with them."""

import ipaddress
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

HOST: Final = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?"
_NETWORK: Final = r"[0-9A-Fa-f.:]+(/\d+)?"
_WIDEST: Final = {4: 8, 6: 16}  # bits of a trusted network, by IP version; CDNs have narrower ones
_UNIT_SECONDS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART: Final = r"([0-9]+(?:\.[0-9]+)?)(h|ms|m|s)"
_Choice = TypeVar("_Choice", bound=StrEnum)


class Values:
    """Typed look-ups that collect problems instead of raising at the first."""

    def __init__(self, raw: Mapping[str, str]) -> None:
        self._raw = raw
        self.problems: list[str] = []

    def text(self, name: str, default: str) -> str:
        return self._raw.get(name, default)

    def ending_in(self, suffix: str) -> dict[str, str]:
        return {key: value for key, value in self._raw.items() if key.endswith(suffix)}

    def matching(self, name: str, default: str, pattern: str) -> str:
        value = self.text(name, default)
        if not re.fullmatch(pattern, value):
            self.problems.append(f"{name}={value!r} does not match {pattern}")
        return value

    def hosts(self, name: str, default: str) -> tuple[str, ...]:
        value = self.text(name, default)
        hosts = tuple(value.lower().split())
        wrong = [repr(h) for h in hosts if not re.fullmatch(HOST, h.removeprefix("*."))]
        if wrong or not hosts or re.fullmatch(r"\*.*|[0-9.]+", hosts[0]):
            rule = "names with spaces between, the first no wildcard and no address"
            self.problems.append(f"{name}={value!r} is not a list of {rule}")
            return (default,)
        return hosts

    def networks(self, name: str) -> None:
        for text in self.text(name, "").replace(",", " ").split():
            try:
                network = ipaddress.ip_network(text, strict=False)
            except ValueError:
                network = None
            if not network or not re.fullmatch(_NETWORK, text):
                problem = "is no address or network like 10.1.2.3, 10.0.0.0/8, 2001:db8::/32"
            elif network.prefixlen < _WIDEST[network.version]:
                problem = f"trusts anybody; /{_WIDEST[network.version]} is the widest"
            elif "/" in text and ipaddress.ip_address(text.split("/")[0]) != network[0]:
                problem = f"is no network, {network} is"
            else:
                continue
            self.problems.append(f"{name}: {text!r} {problem}")

    def port(self, name: str, default: int) -> int:
        value = self.text(name, str(default))
        if not value.isascii() or not value.isdigit() or not 0 < int(value) < 65536:
            self.problems.append(f"{name}={value!r} is no port number")
            return default
        return int(value)

    def duration(self, name: str, default: str, bounds: tuple[float, float]) -> float:
        """Seconds of a duration as Compose takes it, within `bounds`."""
        value = self.text(name, default)
        parts = re.findall(_PART, value, re.ASCII) if re.fullmatch(f"({_PART})+", value) else []
        seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)
        if not bounds[0] <= seconds <= bounds[1]:
            least, most = (f"{bound:g}s" for bound in bounds)
            self.problems.append(f"{name}={value!r} is no duration from {least} to {most}, as 30s")
            return bounds[0]
        return seconds

    def choice(self, name: str, default: _Choice) -> _Choice:
        value = self.text(name, default.value)
        try:
            return type(default)(value)
        except ValueError:
            allowed = ", ".join(type(default))
            self.problems.append(f"{name}={value!r} is none of: {allowed}")
            return default
