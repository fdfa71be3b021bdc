"""What a registry has under the name of an image, asked without pulling anything."""

import re
from dataclasses import dataclass
from typing import Final

from scripts.core.errors import OpsError

_HUB: Final = "registry-1.docker.io"
# An index for several processors comes first: its digest is the one that Docker remembers.
_ACCEPT: Final = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "docker.distribution.manifest.list.v2",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.v2",
    )
)
_CHALLENGE: Final = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Reference:
    """A name of an image, taken apart as Docker does."""

    host: str
    repository: str
    tag: str

    @classmethod
    def parse(cls, image: str) -> "Reference | None":
        """The one of `image`; None where it names a digest, which is never another."""
        if "@" in image:
            return None
        first, slash, rest = image.partition("/")
        has_host = slash and (re.search(r"[.:]", first) or first == "localhost")
        host, path = (first, rest) if has_host else (_HUB, image)
        if host in ("docker.io", "index.docker.io"):
            host = _HUB
        repository, _, tag = path.partition(":")
        if host == _HUB and "/" not in repository:
            repository = f"library/{repository}"
        return cls(host, repository, tag or "latest")

    @property
    def url(self) -> str:
        """Where its manifest is. Docker speaks to registries on this machine without TLS."""
        local = re.match(r"(localhost|127\.[\d.]+)(:|$)", self.host)
        return f"http{'' if local else 's'}://{self.host}/v2/{self.repository}/manifests/{self.tag}"


def digest(image: str, seconds: float) -> str:
    """The digest that `image` has in its registry; each question may take so many seconds.

    Raises OpsError where no registry tells it to somebody without a login.
    """
    import requests

    reference = Reference.parse(image)
    if not reference:
        raise OpsError(f"{image} is one of its kind")
    headers = {"Accept": _ACCEPT}
    try:
        with requests.Session() as session:
            answer = session.head(reference.url, headers=headers, timeout=seconds)
            if answer.status_code == 401:
                asked = dict(_CHALLENGE.findall(answer.headers.get("WWW-Authenticate", "")))
                realm = asked.pop("realm", "")
                token = session.get(realm, params=asked, timeout=seconds).json()
                bearer = token.get("token") or token.get("access_token")
                headers["Authorization"] = f"Bearer {bearer}"
                answer = session.head(reference.url, headers=headers, timeout=seconds)
    except (requests.RequestException, ValueError, AttributeError) as error:
        raise OpsError(f"{reference.host} does not tell of {image}") from error
    found = str(answer.headers.get("Docker-Content-Digest", ""))
    if answer.status_code != 200 or not found:
        raise OpsError(f"{reference.host} answers with status {answer.status_code}")
    return found
