"""Typed look-ups in settings, which collect what is wrong with them."""

import ipaddress
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

from scripts.core import addresses, env_example, redact

HOST: Final = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?"
_NETWORK: Final = r"[0-9A-Fa-f.:]+(/\d+)?"
_WIDEST: Final = {4: 8, 6: 16}  # bits of a trusted network, by IP version; CDNs have narrower ones
_UNIT_SECONDS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART: Final = r"([0-9]+(?:\.[0-9]+)?)(h|ms|m|s)"
_MEMORY: Final = re.compile(r"([0-9]*\.?[0-9]+) ?(?:([kmgtp])i?)?b?", re.IGNORECASE)
_REDIS_MEMORY: Final = re.compile(r"([0-9]+)(?:([kmg])?(b)?)", re.IGNORECASE)
_POSTGRES_MEMORY: Final = re.compile(r"([0-9]{1,9}) ?(k|M|G|T)B")
_WORKER_MEMORY: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(?:([kmgt])i?)?b?", re.IGNORECASE)
_LEAST_POSTGRES: Final = 128 * 1024  # of shared_buffers; work_mem takes half of it
_MOST_POSTGRES: Final = 1024**4  # work_mem ends there
_LEAST_WORKER: Final = 256 * 1024**2  # Odoo itself takes nearly that
_LEAST_MEMORY: Final = 6 * 1024**2  # Docker gives no container less
_MOST_MEMORY: Final = 2**63
_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
# A name as Docker reads it: registry, path in lower case, tag, digest.
_IMAGE: Final = re.compile(
    rf"((?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?/)?"
    rf"{_COMPONENT}(?:/{_COMPONENT})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?"
    r"(?:@[a-z0-9+._-]+:[0-9a-fA-F]{32,})?"
)
_Choice = TypeVar("_Choice", bound=StrEnum)


class Values:
    """Typed look-ups that collect problems instead of raising at the first."""

    def __init__(self, raw: Mapping[str, str]) -> None:
        self._raw = raw
        self.problems: list[str] = []

    def text(self, name: str, default: str) -> str:
        value = self._raw.get(name, default)
        if not value.isprintable():
            self._report(name, value, "has a line break or another control character in it")
            return default
        return value

    def words(self, name: str) -> tuple[str, ...]:
        """A list with commas between, without empty ones."""
        return tuple(word.strip() for word in self.text(name, "").split(",") if word.strip())

    def ending_in(self, suffix: str) -> dict[str, str]:
        return {key: value for key, value in self._raw.items() if key.endswith(suffix)}

    def matching(self, name: str, default: str, pattern: str, rule: str) -> str:
        """`rule` says for people what a value is, such as 'an address'."""
        value = self.text(name, default)
        if not re.fullmatch(pattern, value):
            self._report(name, value, f"is not {rule}")
        return value

    def addresses(self, name: str) -> tuple[str, ...]:
        """Whom notifications go to."""
        value = self.text(name, "")
        if not addresses.are_addresses(value):
            self._report(name, value, f"is not {addresses.RULE}")
            return ()
        return addresses.split(value)

    def web_address(self, name: str) -> str:
        """One with https:// or http://; '' if there is none."""
        value = self.text(name, "")
        if value and not addresses.is_web(value):
            self._report(name, value, "is not an address with https:// or http://")
        return value

    def path(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if re.match(r"~[^/]", value):  # Compose reads ~bob as a folder in one's own home
            self._report(name, value, "is not a path; of the home directory only ~/ is known")
            return default
        return value

    def hosts(self, name: str, default: str) -> tuple[str, ...]:
        value = self.text(name, default)
        hosts = tuple(value.lower().split())
        wrong = [repr(h) for h in hosts if not re.fullmatch(HOST, h.removeprefix("*."))]
        if wrong or not hosts or re.fullmatch(r"\*.*|[0-9.]+", hosts[0]):
            rule = "names with spaces between, the first no wildcard and no address"
            self._report(name, value, f"is not a list of {rule}")
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

    def address(self, name: str, default: str) -> str:
        """An IP address of this machine; Compose takes one in brackets as well."""
        value = self.text(name, default)
        bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
        try:
            if "%" in bare:
                raise ValueError
            ipaddress.ip_address(bare)
        except ValueError:
            self._report(name, value, "is no IP address like 127.0.0.1, 0.0.0.0 or ::1")
            return default
        return bare

    def port(self, name: str, default: int) -> int:
        value = self.text(name, str(default))
        if not value.isascii() or not value.isdigit() or not 0 < int(value) < 65536:
            self._report(name, value, "is no port number")
            return default
        return int(value)

    def memory(self, name: str, default: str) -> int:
        """Bytes of a container's limit, as Compose and Docker take it; 0 for none."""
        value = self.text(name, default)
        found = _MEMORY.fullmatch(value)
        size = int(float(found[1]) * _unit(found[2])) if found else -1
        if not (size == 0 or _LEAST_MEMORY <= size < _MOST_MEMORY):
            self._report(name, value, "is no amount of memory like 512M or 4G, at least 6M")
            return 0
        return size

    def redis_memory(self, name: str, default: str) -> int:
        """Bytes as Redis takes them, whose `1m` is a million; 0 for no limit."""
        value = self.text(name, default)
        found = _REDIS_MEMORY.fullmatch(value)
        if not found or int(found[1]) * _unit(found[2]) >= _MOST_MEMORY:
            self._report(name, value, "is no amount of memory like 256mb or 1gb")
            return 0
        return int(found[1]) * (_unit(found[2]) if found[3] else _thousands(found[2]))

    def worker_memory(self, name: str, default: str) -> int:
        """Bytes as the entrypoint of Odoo takes them, which counts by 1024."""
        value = self.text(name, default)
        found = _WORKER_MEMORY.fullmatch(value)
        size = int(float(found[1]) * _unit(found[2])) if found else -1
        if not (_LEAST_WORKER <= size < _MOST_MEMORY):
            self._report(name, value, "is no amount of memory like 2G or 1536M, at least 256M")
            return 0
        return size

    def postgres_memory(self, name: str, default: str) -> int:
        """Bytes as PostgreSQL takes them, which wants its unit: kB, MB, GB."""
        value = self.text(name, default)
        found = _POSTGRES_MEMORY.fullmatch(value)
        size = int(found[1]) * _unit(found[2]) if found else -1
        if not (_LEAST_POSTGRES <= size < _MOST_POSTGRES):
            self._report(name, value, "is no amount of memory like 64MB or 1GB")
            return 0
        return size

    def count(self, name: str, default: str, bounds: tuple[int, int]) -> int:
        """A whole number within `bounds`."""
        value = self.text(name, default)
        right = value.isascii() and value.isdigit() and len(value) < 10
        if not right or not bounds[0] <= int(value) <= bounds[1]:
            self._report(name, value, f"is no number from {bounds[0]} to {bounds[1]}")
            return bounds[0]
        return int(value)

    def image(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if not _IMAGE.fullmatch(value):
            self._report(name, value, "is no name of an image like postgres:16.15-bookworm")
        return value

    def duration(self, name: str, default: str, bounds: tuple[float, float]) -> float:
        """Seconds of a duration as Compose takes it, within `bounds`."""
        value = self.text(name, default)
        parts = re.findall(_PART, value, re.ASCII) if re.fullmatch(f"({_PART})+", value) else []
        seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)
        if not bounds[0] <= seconds <= bounds[1]:
            least, most = (f"{bound:g}s" for bound in bounds)
            self._report(name, value, f"is no duration from {least} to {most}, as 30s")
            return bounds[0]
        return seconds

    def choice(self, name: str, default: _Choice) -> _Choice:
        value = self.text(name, default.value)
        try:
            return type(default)(value)
        except ValueError:
            self._report(name, value, f"is none of: {', '.join(type(default))}")
            return default

    def _report(self, name: str, value: str, reason: str) -> None:
        problem = f"{name}={redact.variable(name, value)!r} {reason}"
        if problem not in self.problems:  # a value may be asked for twice
            self.problems.append(problem)


def _unit(letter: str | None) -> int:
    return int(1024 ** " kmgtp".index((letter or " ").lower()))


def _thousands(letter: str | None) -> int:
    return int(1000 ** " kmg".index((letter or " ").lower()))


def check_what_compose_reads(values: Values) -> None:
    """Check the variables that only the compose files use, before a container fails on one."""
    values.networks("TRUSTED_PROXIES")
    values.path("ACME_CA_FILE", "")
    values.matching("ODOO_ADDONS", "./odoo/addons", r"\.?/.+", "a folder that begins with ./ or /")
    values.matching("ODOO_DEV", "", r"(\w+(,\w+)*)?", "words with commas between")
    values.matching("BACKUP_HOST", "", r"([A-Za-z0-9][\w.-]{0,62})?", "the name of a machine")
    values.matching(
        "POSTGRES_VOLUME",
        "odoo_db_data",
        r"odoo_db_data(_[a-z0-9]+)?",
        "odoo_db_data or one like odoo_db_data_17",
    )
    values.matching("LOG_FORMAT", "text", "text|json", "text or json")
    values.redis_memory("REDIS_MAXMEMORY", "256mb")
    values.matching("PROMETHEUS_RETENTION", "15d", r"[1-9]\d{0,3}[hdwy]", "a time like 15d or 8w")
    values.image("SUPABASE_POSTGRES", "postgres:16.15-bookworm")
    for name, default in env_example.variables().items():
        if name.endswith("_MEMORY"):
            values.memory(name, default)
        elif name.endswith("_IMAGE"):
            values.image(name, default)
