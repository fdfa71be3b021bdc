"""The platform as its users reach it: through Nginx, over HTTP or HTTPS."""

import hashlib
import re
import socket
import ssl
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.http import Identity, Reply
from scripts.core.http import beginning as fetch_beginning
from scripts.core.http import get as fetch
from scripts.core.settings import EVERYWHERE, Settings

_FIRST_CERTIFICATE: Final = re.compile(
    "-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL
)
_NOT_THE_FILE: Final = "Nginx serves another certificate than the one in nginx/certs/current"


def get(settings: Settings, path: str, *, timeout: float = 5.0) -> Reply:
    """GET `path`; raises OpsError where Nginx does not answer.

    In production the port of this machine is asked for the domain, wherever DNS
    points, and the certificate in nginx/certs/current has to be the one served.
    """
    url, identity = _target(settings, path)
    return fetch(url, timeout=timeout, identity=identity)


def beginning(settings: Settings, path: str, most: int, *, timeout: float) -> tuple[int, int]:
    """The status of `path`, and how many of its first `most` bytes there are; as get."""
    url, identity = _target(settings, path)
    return fetch_beginning(url, most, timeout=timeout, identity=identity)


def _target(settings: Settings, path: str) -> tuple[str, Identity | None]:
    if not settings.tls:
        return settings.url + path, None
    fingerprint = hashlib.sha256(expected_certificate(settings)).hexdigest()
    host, port = address(settings)
    host = f"[{host}]" if ":" in host else host
    identity = Identity(settings.domains[0], fingerprint)
    return f"https://{host}:{port}{path}", identity


def maintenance(settings: Settings) -> str:
    """What Nginx says of maintenance, '' if visitors are let in; raises OpsError if nothing."""
    return told_maintenance(get(settings, "/nginx-health"))


def told_maintenance(health: Reply) -> str:
    """What an answer of /nginx-health says of maintenance; see nginx/snippets/health.conf."""
    return health.text.partition("\n")[2].strip()


def address(settings: Settings) -> tuple[str, int]:
    """Where HTTPS is reached from this machine."""
    local = {EVERYWHERE: "127.0.0.1", "::": "::1"}
    return local.get(settings.bind, settings.bind), settings.https_port


def expected_certificate(settings: Settings) -> bytes:
    """The certificate, as DER, that Nginx has to serve; raises OpsError if there is none."""
    path = settings.certificates / "current" / "fullchain.pem"
    try:
        found = _FIRST_CERTIFICATE.search(path.read_text())
        if not found:
            raise ValueError("no certificate in it")
        return ssl.PEM_cert_to_DER_cert(found.group())
    except (OSError, ValueError) as error:
        raise OpsError(
            f"{path} cannot be read ({error})", "Make a certificate: inv setup-tls selfsigned"
        ) from error


def served_certificate(settings: Settings, *, timeout: float = 5.0) -> bytes:
    """The certificate, as DER, that Nginx serves now; raises OpsError if none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # it is compared, not trusted
    where = address(settings)
    try:
        with (
            socket.create_connection(where, timeout) as plain,
            context.wrap_socket(plain, server_hostname=settings.domains[0]) as connection,
        ):
            return connection.getpeercert(binary_form=True) or b""
    except OSError as error:
        raise OpsError(f"no HTTPS at {where[0]}:{where[1]}: {error}") from error


def certificate_problem(settings: Settings) -> str:
    """Whether Nginx serves the certificate it should; '' if it does."""
    same = served_certificate(settings) == expected_certificate(settings)
    return "" if same else _NOT_THE_FILE
