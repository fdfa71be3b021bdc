"""HTTP questions to our own services."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from scripts.core.errors import OpsError


def is_address(text: str, *schemes: str) -> bool:
    """Whether `text` is the address of a site, by one of `schemes`, such as https."""
    try:
        parts = urlsplit(text)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:  # of brackets or a port that are none
        return False
    return named and parts.scheme in schemes and not re.search(r"[\s\x00-\x1f]", text)


@dataclass(frozen=True)
class Reply:
    """The answer to a GET: no redirect was followed."""

    status: int
    text: str
    cookies: Mapping[str, str] = field(default_factory=dict)
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
    answer = _answer(url, timeout, identity)
    location = answer.headers.get("Location", "")
    return Reply(answer.status_code, answer.text, answer.cookies.get_dict(), location)


def beginning(
    url: str, most: int, *, timeout: float, identity: Identity | None = None
) -> tuple[int, int]:
    """The status of `url`, and how many of its first `most` bytes there are; as get."""
    answer = _answer(url, timeout, identity, stream=True)
    try:
        return answer.status_code, len(next(answer.iter_content(most), b""))
    finally:
        answer.close()


def _answer(url: str, timeout: float, identity: Identity | None, *, stream: bool = False) -> Any:
    import requests  # 0.1 s of import that `inv --list` need not pay

    session = requests.Session()
    session.trust_env = False  # a proxy has no business between us and our own port
    if stream:  # Nginx would compress the whole of it for its beginning
        session.headers["Accept-Encoding"] = "identity"
    if identity:
        session.mount("https://", _pinned(identity))
        session.headers["Host"] = identity.name
        session.verify = False  # the pinned fingerprint is checked instead
    try:
        return session.get(url, timeout=timeout, allow_redirects=False, stream=stream)
    except requests.Timeout as error:
        raise OpsError(f"no answer from {url} within {timeout:.0f} s") from error
    except requests.exceptions.SSLError as error:
        # What ends or speaks something else in the midst of the handshake shows no certificate.
        shown = re.search("CERTIFICATE_VERIFY_FAILED|[Ff]ingerprint", str(error))
        how = "answers, but not with the expected certificate" if shown else "does not speak TLS"
        raise OpsError(f"{url} {how}") from error
    except requests.RequestException as error:
        raise OpsError(f"nothing answers at {url}") from error


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


def _pinned(identity: Identity) -> Any:
    from requests.adapters import HTTPAdapter

    class Pinned(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            kwargs |= {
                "server_hostname": identity.name,
                "assert_fingerprint": identity.fingerprint,
            }
            super().init_poolmanager(*args, **kwargs)

    return Pinned()
