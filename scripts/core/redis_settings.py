"""Settings of Redis: whether the platform runs the one that has the sessions, or somebody else."""

from dataclasses import dataclass
from typing import Final

from scripts.core.values import HOST, Values

PASSWORD: Final = "redis_password"  # noqa: S105 - the name of a secret
_SENTINEL: Final = rf"{HOST}:[0-9]{{1,5}}"
_NAME: Final = r"([A-Za-z0-9_][A-Za-z0-9_.-]*)?"
_PREFIX: Final = r"[A-Za-z0-9_.:/-]+"
_TRUTH: Final = ("true|false", "true or false")


@dataclass(frozen=True)
class RedisSettings:
    """Of one installation."""

    host: str  # of a Redis elsewhere; '' where there is none, or Sentinels name it
    port: int
    user: str  # of its access control lists; '' for `default`
    tls: bool
    ca_file: str  # of the authority that signed its certificate
    sentinels: tuple[str, ...]  # HOST:PORT; they know where the master is
    master: str  # the name under which they watch it

    @property
    def external(self) -> bool:
        """Whether the sessions are in a Redis that somebody else runs."""
        return bool(self.host or self.sentinels)

    @property
    def place(self) -> str:
        """Where it is, for people."""
        if self.sentinels:
            return f"{self.master} (Sentinels {', '.join(self.sentinels)})"
        return f"{self.host}:{self.port}"

    @property
    def address(self) -> str:
        """As redis_exporter takes it; '' with Sentinels, which it does not ask."""
        if not self.host:
            return ""
        user = f"{self.user}@" if self.user else ""
        return f"redis{'s' if self.tls else ''}://{user}{self.host}:{self.port}"

    @classmethod
    def read(cls, values: Values) -> "RedisSettings":
        """Of `.env` and the environment; what is wrong is added to the problems of `values`."""
        values.matching("REDIS_EXTERNAL_DB", "0", r"[0-9]{1,6}", "the number of a database")
        values.matching("REDIS_EXTERNAL_PREFIX", "session:", _PREFIX, "letters, digits or _.:/-")
        values.matching("REDIS_EXTERNAL_SENTINEL_AUTH", "false", *_TRUTH)
        sentinels = values.matching(
            "REDIS_EXTERNAL_SENTINELS",
            "",
            rf"({_SENTINEL}(,{_SENTINEL})*)?",
            "a list like one.test:26379,two.test:26379, without spaces",
        )
        found = cls(
            host=values.matching("REDIS_EXTERNAL_HOST", "", rf"({HOST})?", "a host, in lower case"),
            port=values.port("REDIS_EXTERNAL_PORT", 6379),
            user=values.matching("REDIS_EXTERNAL_USER", "", _NAME, "a user of Redis"),
            tls=values.matching("REDIS_EXTERNAL_TLS", "true", *_TRUTH) == "true",
            ca_file=values.path("REDIS_EXTERNAL_CA_FILE", ""),
            sentinels=tuple(sentinels.split(",")) if sentinels else (),
            master=values.matching("REDIS_EXTERNAL_MASTER", "", _NAME, "the name of a master"),
        )
        if not any(problem.startswith("REDIS_EXTERNAL_") for problem in values.problems):
            values.problems += found._contradictions()
        return found

    def _contradictions(self) -> list[str]:
        problems = []
        if self.host and self.sentinels:
            problems.append(
                "REDIS_EXTERNAL_HOST and REDIS_EXTERNAL_SENTINELS exclude each other: the Sentinels"
                " know the host"
            )
        if bool(self.sentinels) != bool(self.master):
            problems.append(
                "REDIS_EXTERNAL_SENTINELS and REDIS_EXTERNAL_MASTER, the name under which they"
                " watch the master, belong together"
            )
        if self.external and self.tls and not self.ca_file:
            problems.append(
                "REDIS_EXTERNAL_CA_FILE is missing, by which the server is known: a PEM file of its"
                " provider's authority (or REDIS_EXTERNAL_TLS=false)"
            )
        return problems
