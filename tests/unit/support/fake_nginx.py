"""An engine whose Nginx serves certificates, for tests of HTTPS."""

import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.core import env_file
from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.core.settings import Settings
from tests.unit.support.fakes import FakeRunner, command_line, says

_PEM_END = "END CERTIFICATE-----"


@dataclass
class FakeNginx(FakeRunner):
    """An engine whose Nginx serves what was in `current` when it was last told to look.

    `answers` come first; `stuck` has it reload and go on serving what it had.
    """

    root: Path = Path()
    domain: str = "localhost"
    running: bool = True
    port: int = 443
    target: int = 443
    state: str = "running"
    stuck: bool = False
    serves: bytes = b""

    def served(self, settings: Settings, *, timeout: float = 5.0) -> bytes:
        """Stands in for ingress.served_certificate."""
        if not self.running or not self.serves:
            raise OpsError("no HTTPS")
        return ssl.PEM_cert_to_DER_cert(self.serves.decode().partition("END C")[0] + _PEM_END)

    def _answer(self, argv: Sequence[str]) -> Completed | OpsError:
        line = command_line(argv).removeprefix("docker ").removeprefix("compose ")
        answer = super()._answer(argv)
        if isinstance(answer, OpsError) or answer != says():
            return answer
        if line.endswith("printenv ODOO_DOMAIN"):
            return says(f"{self.domain}\n")
        if line.startswith(("up ", "exec nginx nginx -s reload")):
            self._look(starts=line.startswith("up "))
        if line.startswith("rm "):
            self.running = False
        return answer

    def _containers(self) -> Completed | OpsError:
        answer = super()._containers()
        if isinstance(answer, OpsError) or answer != says() or not self.running:
            return answer
        ports = [{"PublishedPort": self.port, "TargetPort": self.target}]
        row = {"Service": "nginx", "Name": "nginx", "State": self.state, "Publishers": ports}
        return says(json.dumps(row))

    def _look(self, *, starts: bool) -> None:
        if starts:
            self.running = True
            self.domain = (
                env_file.parse(self.root / ".env").values.get("ODOO_DOMAIN") or self.domain
            )
        if not self.stuck:
            self.serves = (self.root / "nginx/certs/current/fullchain.pem").read_bytes()
