"""Settings of mail: where development shows it, and by what production sends it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from scripts.core.values import HOST, Values

ADDRESS: Final = r"[^@\s]+@[^@\s]+"


class Encryption(StrEnum):
    """How the connection to the relay is encrypted."""

    NONE = "none"
    STARTTLS = "starttls"
    SSL = "ssl"


@dataclass(frozen=True)
class MailSettings:
    """Of one installation. The relay's are for production only."""

    bind: str  # where the page of the catcher is, in development
    port: int
    host: str  # of the relay; '' if there is none
    user: str  # its login; '' if it wants none
    ca_file: str  # of the authority that signed its certificate; '' if a public one did

    @property
    def page(self) -> str:
        """The address of the page that shows what Odoo has sent."""
        host = "localhost" if self.bind in ("127.0.0.1", "0.0.0.0", "::") else self.bind  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @classmethod
    def read(cls, values: Values) -> "MailSettings":
        """Of `.env` and the environment; what is wrong is added to the problems of `values`."""
        if values.text("SMTP_PORT", ""):
            values.port("SMTP_PORT", 0)
        values.choice("SMTP_ENCRYPTION", Encryption.STARTTLS)
        values.matching("SMTP_FROM", "", rf"({ADDRESS})?", "a mail address")
        return cls(
            bind=values.address("MAIL_BIND", "127.0.0.1"),
            port=values.port("MAIL_PORT", 8025),
            host=values.matching(
                "SMTP_HOST", "", rf"(?i:{HOST}|[0-9a-f:]+)?", "the name or address of a machine"
            ),
            user=values.matching("SMTP_USER", "", r"\S*", "a login, without spaces"),
            ca_file=values.path("SMTP_CA_FILE", ""),
        )
