"""HTTP questions to our own services."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from scripts.core.errors import OpsError


@dataclass(frozen=True)
class Reply:
    """The answer to a GET: no redirect was followed."""

    status: int
    text: str
    cookies: Mapping[str, str] = field(default_factory=dict)


def get(url: str, *, timeout: float = 5.0) -> Reply:
    """Fetch `url`; raises OpsError where no answer comes within `timeout` seconds."""
    import requests  # 0.1 s of import that `inv --list` need not pay

    session = requests.Session()
    session.trust_env = False  # a proxy has no business between us and our own port
    try:
        answer = session.get(url, timeout=timeout, allow_redirects=False)
    except requests.Timeout as error:
        raise OpsError(f"no answer from {url} within {timeout:.0f} s") from error
    except requests.RequestException as error:
        raise OpsError(f"nothing answers at {url}") from error
    return Reply(answer.status_code, answer.text, answer.cookies.get_dict())
