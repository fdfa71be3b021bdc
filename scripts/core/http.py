"""HTTP questions to our own services."""

import hashlib
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, Final
from urllib.parse import quote, urlsplit

from scripts.core.errors import OpsError

_IN_PATHS: Final = "!#$%&'()*+,/:;=?@[]~"  # what an address may hold as it is, RFC 3986


@dataclass(frozen=True)
class Reply:
    """The answer to a GET: no redirect was followed."""

    status: int
    text: str
    location: str = ""  # where a redirect points


@dataclass(frozen=True)
class Identity:
    """Who is expected to answer over HTTPS, whatever address the URL has."""

    name: str  # asked for, in SNI and Host
    fingerprint: str  # SHA-256 of the certificate it has to show, in hex


def get(url: str, *, timeout: float = 5.0, identity: Identity | None = None) -> Reply:
    """Fetch `url`; raises OpsError where no answer comes within `timeout` seconds.

    With `identity`, that certificate is the only one accepted, no matter who signed it.
    """
    with _answer(url, timeout, identity) as answer, _explained(url, timeout):
        text = answer.read().decode(errors="replace")  # our services speak no other charset
        return Reply(answer.status, text, answer.headers.get("Location", ""))


def beginning(
    url: str, most: int, *, timeout: float, identity: Identity | None = None
) -> tuple[int, int]:
    """The status of `url`, and how many of its first `most` bytes there are; as get."""
    with _answer(url, timeout, identity) as answer, _explained(url, timeout):
        return answer.status, len(answer.read(most))


@contextmanager
def _answer(url: str, timeout: float, identity: Identity | None) -> Iterator[HTTPResponse]:
    """The answer to a GET, by no proxy: one has no business between us and our own ports.

    Without `requests`, whose import takes longer than all that these questions are for.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    target = quote(parts.path or "/", safe=_IN_PATHS)
    target += f"?{quote(parts.query, safe=_IN_PATHS)}" if parts.query else ""
    with ExitStack() as opened:
        with _explained(url, timeout):
            connection = opened.enter_context(socket.create_connection((host, port), timeout))
            if secure:
                connection = opened.enter_context(_secured(connection, host, identity))
            asking = HTTPConnection(host, port)
            asking.sock = connection
            asking.request("GET", target, headers={"Host": identity.name} if identity else {})
            answer = opened.enter_context(asking.getresponse())
        yield answer


@contextmanager
def _explained(url: str, timeout: float) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise OpsError(f"no answer from {url} within {timeout:.0f} s") from error
    except (_OtherCertificateError, ssl.SSLCertVerificationError) as error:
        raise OpsError(f"{url} answers, but not with the expected certificate") from error
    except ssl.SSLError as error:
        # What ends or speaks something else in the midst of the handshake shows no certificate.
        raise OpsError(f"{url} does not speak TLS") from error
    except (OSError, HTTPException) as error:
        raise OpsError(f"nothing answers at {url}") from error


class _OtherCertificateError(OSError):
    """Somebody else than expected."""


def _secured(plain: socket.socket, host: str, identity: Identity | None) -> ssl.SSLSocket:
    if not identity:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # its fingerprint is compared instead
    secured = context.wrap_socket(plain, server_hostname=identity.name)
    shown = secured.getpeercert(binary_form=True) or b""
    if hashlib.sha256(shown).hexdigest() != identity.fingerprint:
        secured.close()
        raise _OtherCertificateError
    return secured


def ask(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    params: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
    timeout: float = 15.0,
) -> Reply:
    """Any request with a JSON body; raises OpsError where no answer comes in time.

    The answer may be of any status; no redirect is followed, as `headers` may hold a key.
    """
    import requests

    session = requests.Session()
    session.trust_env = not url.startswith("http://127.")
    try:
        answer = session.request(
            method,
            url,
            headers=dict(headers),
            params=params,
            json=body,
            timeout=timeout,
            allow_redirects=False,
        )
    except requests.Timeout as error:
        raise OpsError(f"no answer from {url} within {timeout:.0f} s") from error
    except requests.RequestException as error:
        raise OpsError(f"nothing answers at {url}") from error
    return Reply(answer.status_code, answer.text)


def tell(url: str, body: Any = None, *, timeout: float = 15.0) -> None:
    """POST `body`, text as it is and anything else as JSON, or GET `url` where there is none.

    Raises OpsError, without the address, which may hold a token, unless it is accepted.
    """
    import requests

    if isinstance(body, str):
        options: dict[str, Any] = {"data": body.encode()}
    else:
        options = {"json": body}
    try:
        # After a redirect a POST would be a GET, which tells nobody anything.
        answer = requests.request(
            "GET" if body is None else "POST",
            url,
            timeout=timeout,
            allow_redirects=body is None,
            **options,
        )
    except requests.RequestException as error:  # its text may hold the whole address
        raise OpsError(type(error).__name__) from None
    if not 200 <= answer.status_code < 300:
        raise OpsError(f"it answers with status {answer.status_code}")
