"""What a registry has under the name of an image: the engine asks it, and pulls nothing."""

import http.client
import json
import socket
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from scripts.core.errors import OpsError
from scripts.core.process import Runner

_UNIX: Final = "unix://"
_ENDPOINT: Final = ("docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}")


def engine_socket(runner: Runner) -> Path:
    """That of the engine which `docker` speaks with; raises OpsError where it has none."""
    endpoint = runner.run(list(_ENDPOINT)).stdout.strip()
    if not endpoint.startswith(_UNIX):
        raise OpsError(f"the engine is not reached by a socket of this machine: {endpoint}")
    return Path(endpoint.removeprefix(_UNIX))


def digest(engine: Path, image: str, seconds: float) -> str:
    """The digest that `image` has in its registry; the answer may take so many seconds.

    Raises OpsError where no registry tells it to somebody without a login.
    https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Distribution
    """
    path = f"/distribution/{quote(image)}/json"
    try:
        with closing(_Connection(engine, seconds)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            said = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise OpsError(f"the engine does not tell of {image}: {error}") from error
    try:
        return str(said["Descriptor"]["digest"])
    except (KeyError, TypeError) as error:
        raise OpsError(f"no registry tells of {image}: status {answer.status}") from error


class _Connection(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        """See HTTPConnection.connect."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
