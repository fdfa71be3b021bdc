"""Settings of a served copy: which database, and where it is reached."""

from dataclasses import dataclass
from typing import Final

from scripts.core.values import HOST, Values
from toolbox.contract.names import DATABASE_NAME

PROFILE: Final = "clone"  # of the services in compose.yaml
MAIL_PATH: Final = "/_mail/"  # nginx/conf.d/clone/default.conf has it, too


@dataclass(frozen=True)
class CloneSettings:
    """Of one installation, which serves one copy at a time."""

    database: str  # '' if none was named
    domain: str  # the host name is the database below it
    bind: str
    port: int
    profiles: tuple[str, ...]  # of Compose, that .env or the environment switches on

    @property
    def served(self) -> str:
        """The database that is served, as far as the settings say; '' for none."""
        return self.database if PROFILE in self.profiles else ""

    @property
    def host(self) -> str:
        """A name of its own: cookies of the platform and of the copy do not meet."""
        return f"{self.database}.{self.domain}"

    @property
    def url(self) -> str:
        """Where a browser finds the copy, and what becomes its web.base.url: see compose.yaml."""
        return f"http://{self.host}:{self.port}"

    @property
    def mail_page(self) -> str:
        """The address of the page that shows what the copy has sent."""
        return f"{self.url}{MAIL_PATH}"

    @property
    def local_url(self) -> str:
        """The same, for a program on this machine, where the host name need not resolve."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.bind, self.bind)  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @classmethod
    def read(cls, values: Values) -> "CloneSettings":
        """Of `.env` and the environment; what is wrong is added to the problems of `values`."""
        return cls(
            database=values.matching(
                "CLONE_DATABASE",
                "",
                rf"({DATABASE_NAME})?",
                "lower-case letters, digits and underscores, or belongs to the platform",
            ),
            domain=values.matching("CLONE_DOMAIN", "localhost", HOST, "a host name"),
            bind=values.address("CLONE_BIND", "127.0.0.1"),
            port=values.port("CLONE_PORT", 8070),
            profiles=values.words("COMPOSE_PROFILES"),
        )
