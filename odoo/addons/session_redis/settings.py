"""The section [session_redis] of odoo.conf, over it the environment. Knows nothing of Odoo."""

import configparser
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECTION = "session_redis"
IDENTIFIER_LENGTH = 42  # of a session's 84 characters; Odoo stores these in res.device.log
DAY = 86400


class SettingsError(ValueError):
    """Everything that is wrong, in one line."""


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not re.fullmatch(r"\d+", value) or not least <= int(value) <= most:
            raise ValueError(f"is no whole number from {least} to {most}")
        return int(value)

    return parse


def _seconds(value: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?", value) or not 0.05 <= float(value) <= 1.5:
        raise ValueError("is no number of seconds from 0.05 to 1.5")
    return float(value)


def _truth(value: str) -> bool:
    if value.lower() not in configparser.ConfigParser.BOOLEAN_STATES:
        raise ValueError("is neither true nor false")
    return configparser.ConfigParser.BOOLEAN_STATES[value.lower()]


def _word(value: str) -> str:
    if not re.fullmatch(r"[!-~]+", value):
        raise ValueError("is empty or has blanks in it")
    return value


def _optional(value: str) -> str:
    return value and _word(value)


def _addresses(value: str) -> tuple[tuple[str, int], ...]:
    """Of `one:26379,two:26379`."""
    found = []
    for each in filter(None, (part.strip() for part in value.split(","))):
        host, _, port = each.rpartition(":")
        if not re.fullmatch(r"[\w.-]+", host) or not re.fullmatch(r"\d{1,5}", port):
            raise ValueError("is no list like one:26379,two:26379")
        found.append((host, _whole(1, 65535)(port)))
    return tuple(found)


def _prefix(value: str) -> str:
    if set(_word(value)) & set("*?[]\\"):  # it begins the pattern by which admin.py looks
        raise ValueError("has one of *?[]\\ in it")
    return value


def _authorities(value: str) -> str:
    if _file(value):
        try:
            ssl.create_default_context(cafile=value)
        except OSError:  # which ssl.SSLError is too
            raise ValueError("holds no certificate that can be read") from None
    return value


def reason(error: Exception) -> str:
    """What Redis says, without the command that a pipeline puts before it: that has a session."""
    return str(error).rpartition("caused error: ")[2]


def memory(client: Any) -> dict[str, Any]:
    """What Redis says of its memory; nothing where our user may not ask."""
    from redis.exceptions import NoPermissionError

    try:
        return dict(client.info("memory"))
    except NoPermissionError:
        return {}


def _file(value: str) -> str:
    if value and not Path(value).is_file():
        raise ValueError("is no file that can be read")
    return value


# Each option, its default and what makes a value of its text.
OPTIONS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "host": ("localhost", _optional),  # only with Sentinels it may be empty
    "port": ("6379", _whole(1, 65535)),
    "db": ("0", _whole(0, 1_000_000)),
    "prefix": ("session:", _prefix),
    "tls": ("false", _truth),
    "tls_ca_file": ("", _authorities),
    "user": ("", _optional),
    "password_file": ("", _file),
    "sentinels": ("", _addresses),
    "sentinel_master": ("", _optional),
    "sentinel_auth": ("false", _truth),
    # Sessions of visitors, which bots make too; a cart has to outlive the night.
    "anonymous_lifetime": (str(2 * DAY), _whole(60, 366 * DAY)),
    # For a connection and for an answer; a request of a hung Redis is to end within 2 s.
    "timeout": ("1.0", _seconds),
}


@dataclass(frozen=True)
class Settings:
    """Where Redis is, and how long what is kept there."""

    host: str
    port: int
    db: int
    prefix: str
    tls: bool
    tls_ca_file: str
    user: str
    password_file: str
    sentinels: tuple[tuple[str, int], ...]
    sentinel_master: str
    sentinel_auth: bool
    anonymous_lifetime: int
    timeout: float

    @classmethod
    def load(cls, conf: str, environ: Mapping[str, str]) -> "Settings":
        """Read `conf` and SESSION_REDIS_* of `environ`; raises SettingsError."""
        parser = configparser.RawConfigParser()
        try:
            parser.read([conf] if conf else [])
        except (configparser.Error, UnicodeDecodeError) as error:
            raise SettingsError(f"{conf} cannot be read: {str(error).splitlines()[0]}") from None
        texts = dict(parser.items(SECTION)) if parser.has_section(SECTION) else {}
        start = f"{SECTION.upper()}_"
        texts |= {
            k.removeprefix(start).lower(): v for k, v in environ.items() if k.startswith(start)
        }
        problems = [f"{name} is no option of [{SECTION}]" for name in texts.keys() - OPTIONS.keys()]
        values = {}
        for name, (default, parse) in OPTIONS.items():
            try:
                values[name] = parse(texts.get(name, default).strip())
            except ValueError as error:
                problems.append(f"{name} = {texts.get(name)!r} {error}")
        if not values.get("host", True) and not values.get("sentinels"):
            problems.append("host = '' is empty or has blanks in it")
        if bool(values.get("sentinels")) != bool(values.get("sentinel_master")):
            problems.append("sentinels and sentinel_master belong together")
        if problems:
            raise SettingsError("; ".join(sorted(problems)))
        return cls(**values)

    @property
    def place(self) -> str:
        """Where Redis is, for people."""
        if not self.sentinels:
            return f"{self.host}:{self.port}"
        asked = ",".join(f"{host}:{port}" for host, port in self.sentinels)
        return f"{self.sentinel_master} by the Sentinels {asked}"

    def key(self, sid: str) -> str:
        """The hash that holds all sessions of an identifier."""
        return self.prefix + sid[:IDENTIFIER_LENGTH]

    def client(self, kinds: tuple[tuple[type, type], ...] = ()) -> Any:
        """A client whose pool serves threads, greenlets and forked workers alike.

        `kinds` are the classes of its connections as connection.py has them, instead of those of
        redis-py. Raises SettingsError if the password cannot be read.
        """
        import redis
        from redis import sentinel

        ours = (redis.Connection, redis.SSLConnection)
        managed = (sentinel.SentinelManagedConnection, sentinel.SentinelManagedSSLConnection)
        direct, of_sentinel, of_master = (each[self.tls] for each in kinds or (ours, ours, managed))
        password = self._password()
        options = {"db": self.db, "username": self.user or None, "password": password}
        options |= self._options(self.timeout)
        if not self.sentinels:
            place = {"host": self.host, "port": self.port}
            pool = redis.ConnectionPool(connection_class=direct, **place, **options)
            return redis.Redis(connection_pool=pool)
        # All of them, one after the other, may take as long as Redis itself.
        theirs = self._options(max(0.15, self.timeout / len(self.sentinels) / 2))
        theirs |= {"password": password if self.sentinel_auth else None}
        asked = sentinel.Sentinel([])
        for host, port in self.sentinels:
            pool = redis.ConnectionPool(
                connection_class=of_sentinel, host=host, port=port, **theirs
            )
            asked.sentinels.append(redis.Redis(connection_pool=pool))
        pool = sentinel.SentinelConnectionPool(
            self.sentinel_master, asked, connection_class=of_master, **options
        )
        return redis.Redis(connection_pool=pool)

    def _options(self, timeout: float) -> dict[str, Any]:
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        return {
            "decode_responses": True,
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            # redis-py 6 would try three times more, each after a pause.
            "retry": Retry(NoBackoff(), 0),
            **self._tls(),
        }

    def _tls(self) -> dict[str, Any]:
        if not self.tls:
            return {}
        return {
            "ssl_cert_reqs": "required",
            "ssl_check_hostname": True,
            "ssl_ca_certs": self.tls_ca_file or None,
        }

    def _password(self) -> str | None:
        if not self.password_file:
            return None
        try:
            password = Path(self.password_file).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{self.password_file} cannot be read: {error}") from None
        if not password:
            raise SettingsError(f"{self.password_file} is empty")
        return password
