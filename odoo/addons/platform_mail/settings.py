"""What the environment says about mail; compose.yaml and compose.prod.yaml set it. No Odoo here."""

import os
from dataclasses import dataclass
from pathlib import Path

# Written by platform-entrypoint from secrets/smtp_password.txt.
PASSWORD_FILE = Path("/run/odoo/smtp_password")
_PORTS = {"none": 25, "starttls": 587, "ssl": 465}


@dataclass(frozen=True)
class Server:
    """An SMTP server of the platform's own, as opposed to those that a database names."""

    address: tuple[str, int]
    encryption: str = "none"  # none, starttls or ssl
    user: str = ""
    ca_file: str = ""  # who signed its certificate, where that is no public authority
    is_catcher: bool = False

    def password(self):
        """That of the user; raises OSError where the file is missing."""
        return PASSWORD_FILE.read_text(encoding="utf-8").rstrip("\n")


def catcher():
    """The server that takes all mail in development, None in production."""
    host, _, port = os.environ.get("MAIL_CATCHER", "").rpartition(":")
    return Server((host, int(port)), is_catcher=True) if host else None


def relay():
    """The server that takes mail in production, None where SMTP_HOST names none.

    Raises ValueError for settings that cannot be.
    """
    host = _value("SMTP_HOST")
    if not host:
        return None
    encryption = _value("SMTP_ENCRYPTION") or "starttls"
    if encryption not in _PORTS:
        raise ValueError(f"SMTP_ENCRYPTION={encryption} is none of: {', '.join(_PORTS)}")
    port = int(_value("SMTP_PORT") or _PORTS[encryption])
    return Server((host, port), encryption, _value("SMTP_USER"), _value("SMTP_CA_FILE"))


def set_sender(config):
    """Have Odoo use SMTP_FROM where it knows no better sender.

    A relay takes mail of its own domains only: for another sender, Odoo then puts SMTP_FROM into
    the place of the address, and keeps the name.
    """
    if sender := _value("SMTP_FROM"):
        config["email_from"] = sender
        config["from_filter"] = sender.rpartition("@")[2]


def _value(name):
    return os.environ.get(name, "").strip()
