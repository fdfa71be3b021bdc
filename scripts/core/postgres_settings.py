"""Settings of PostgreSQL: whether the platform runs it, and where it is otherwise."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from scripts.core.values import HOST, Values

ROLE: Final = "odoo"  # of the platform's own server, as the superuser
SUPERUSER: Final = "postgres"
_NAME: Final = rf"(?!\d+(\.\d+){{3}}$){HOST}"  # containers find no address by a link


class TlsMode(StrEnum):
    """What libpq demands of the connection."""

    DISABLE = "disable"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"


@dataclass(frozen=True)
class PostgresSettings:
    """Of one installation."""

    host: str  # of a server elsewhere; '' where the platform runs its own
    port: int
    user: str  # the role there
    mode: TlsMode
    ca_file: str  # of the authority that signed its certificate; '' for none

    @property
    def external(self) -> bool:
        """Whether somebody else runs the server."""
        return bool(self.host)

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.host}:{self.port}"

    @property
    def role(self) -> str:
        """Odoo's role, which owns its databases."""
        return self.user if self.external else ROLE

    @property
    def administrator(self) -> str:
        """The role with the most rights that we have: there is no superuser elsewhere."""
        return self.user if self.external else SUPERUSER

    @classmethod
    def read(cls, values: Values) -> "PostgresSettings":
        """Of `.env` and the environment; what is wrong is added to the problems of `values`."""
        found = cls(
            host=values.matching(
                "POSTGRES_EXTERNAL_HOST", "", rf"({_NAME})?", "a host name, in lower case"
            ),
            port=values.port("POSTGRES_EXTERNAL_PORT", 5432),
            user=values.matching(
                "POSTGRES_EXTERNAL_USER", ROLE, r"[A-Za-z_][\w.@-]{0,62}", "a role of PostgreSQL"
            ),
            mode=values.choice("POSTGRES_EXTERNAL_SSLMODE", TlsMode.VERIFY_FULL),
            ca_file=values.path("POSTGRES_EXTERNAL_CA_FILE", ""),
        )
        verified = found.mode in (TlsMode.VERIFY_CA, TlsMode.VERIFY_FULL)
        if found.external and verified and not found.ca_file:
            values.problems.append(
                f"POSTGRES_EXTERNAL_CA_FILE is missing, by which {found.mode} knows the server:"
                " a PEM file of its provider's authority"
            )
        if found.external and values.text("BACKUP_CONTINUOUS", "") == "true":
            values.problems.append(
                "BACKUP_CONTINUOUS=true: who runs PostgreSQL elsewhere archives its log there"
            )
        return found
