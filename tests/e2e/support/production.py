"""The production environment in a clone: HTTPS for odoo.test, and ways to speak to it."""

import http.client
import json
import re
import secrets
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.support.checkout import Checkout, free_port
from tests.support.waiting import eventually

NAME = "odoo.test"
OTHER_NAME = "shop.test"
HEADERS = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "1; mode=block",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}
HANDSHAKE = {  # of a websocket
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "a2V5a2V5a2V5a2V5a2V5aw==",  # 16 bytes
}
STATIC_FILE = "/web/static/img/favicon.ico"
_PATIENCE = 60  # seconds; the slowest limit gives one request back after six


@dataclass(frozen=True)
class Answer:
    """One HTTP answer with its headers as they came, repetitions included."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)

    def all(self, name: str) -> list[str]:
        """Every value of the header `name`."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str:
        """The one value of the header `name`, '' without it."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} comes {len(values)} times"
        return values[0] if values else ""

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Production(Checkout):
    """A clone that runs the production environment, for two names of its own."""

    https_port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        """The site as a browser would name it."""
        return f"https://{self.host}"

    @property
    def host(self) -> str:
        """What a browser sends as Host."""
        return f"{NAME}:{self.https_port}"

    @property
    def ca(self) -> Path:
        """The certificate of the private CA that signed the site's."""
        return self.root / "tls-ca" / "ca.pem"

    def environment(self, **more: str) -> dict[str, str]:
        """As everywhere, and what makes it this production site."""
        own = {
            "PLATFORM_ENV": "prod",
            "ODOO_DOMAIN": f"{NAME} {OTHER_NAME}",
            "NGINX_HTTPS_PORT": str(self.https_port),
            "COMPOSE_FILE": "compose.yaml:compose.prod.yaml",
        }
        return super().environment(**own, **more)

    def execute(self, service: str, *command: str, user: str = "") -> str:
        """What `command` prints in the container of `service`; it has to succeed."""
        done = self.exec(service, *command, user=user)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def logs(self, service: str) -> str:
        """All that `service` has logged."""
        done = self.compose("logs", "--no-color", "--no-log-prefix", service)
        return done.stdout + done.stderr

    def address(self, service: str, network: str = "edge") -> str:
        """The address of a container on one of its networks."""
        networks = self.inspect(service)["NetworkSettings"]["Networks"]
        found: str = networks[f"{self.project}_{network}"]["IPAddress"]
        return found

    def tls(
        self, name: str | None = NAME, alpn: tuple[str, ...] = ("http/1.1",), timeout: float = 60
    ) -> ssl.SSLSocket:
        """A connection that trusts the private CA only."""
        context = ssl.create_default_context(cafile=str(self.ca))
        context.check_hostname = name is not None
        context.set_alpn_protocols(list(alpn))
        plain = socket.create_connection(("127.0.0.1", self.https_port), timeout)
        try:
            return context.wrap_socket(plain, server_hostname=name)
        except BaseException:
            plain.close()
            raise

    def once(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        secure: bool = True,
    ) -> Answer:
        """One request on a connection of its own; `path` goes out as it stands."""
        connection = http.client.HTTPConnection(NAME, self.https_port)
        if secure:
            connection.sock = self.tls()
        else:
            connection = http.client.HTTPConnection(NAME, self.http_port)
            connection.sock = socket.create_connection(("127.0.0.1", self.http_port), 60)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, tuple(response.getheaders()), response.read())
        finally:
            connection.close()

    def ask(self, path: str, **request: Any) -> Answer:
        """`once`, again and again while the limits refuse it."""
        answer = eventually(lambda: self._accepted(path, **request), _PATIENCE, interval=0.5)
        assert answer, f"{path} is refused for ever"
        return answer

    def _accepted(self, path: str, **request: Any) -> Answer | None:
        answer = self.once(path, **request)
        return None if answer.status == 429 else answer

    def call(self, path: str, params: Mapping[str, Any], cookie: str = "") -> Answer:
        """A JSON-RPC request, as Odoo's web client makes them."""
        body = json.dumps({"jsonrpc": "2.0", "method": "call", "params": params}).encode()
        headers = {"Content-Type": "application/json", **({"Cookie": cookie} if cookie else {})}
        return self.ask(path, method="POST", headers=headers, body=body)

    def log_in(self) -> str:
        """A new session of admin, as a Cookie header."""
        params = {"db": "odoo", "login": "admin", "password": self.admin_password}
        answer = self.call("/web/session/authenticate", params)
        assert answer.json["result"]["uid"], answer.text
        return session_cookie(answer)

    def forget_limits(self) -> None:
        """Restart Nginx: its counters are in memory, and start from nothing."""
        assert self.compose("restart", "nginx").returncode == 0
        assert eventually(self._answers, 30)

    @contextmanager
    def changed(self, file: str, old: str, new: str) -> Iterator[None]:
        """`old` as `new` in a file below nginx/, reloaded; as it was afterwards."""
        path = self.root / "nginx" / file
        before = path.read_text()
        assert old in before, f"{old} is not in {file}"
        try:
            path.write_text(before.replace(old, new))
            self.reload()
            yield
        finally:
            path.write_text(before)
            self.reload()

    def reload(self) -> None:
        """Reload Nginx and wait until only workers with the new configuration accept."""
        before = self._workers()
        self.execute("nginx", "nginx", "-s", "reload")
        assert eventually(lambda: (now := self._workers()) and not now & before, 30)

    def _workers(self) -> set[str]:
        top = self.run("docker", "top", self.container("nginx"), "-eo", "pid,args").stdout
        return set(re.findall(r"^\s*(\d+)\s+nginx: worker process$", top, re.MULTILINE))

    def _answers(self) -> bool:
        try:
            return self.once("/nginx-health").status == 200
        except OSError:
            return False


def session_cookie(answer: Answer) -> str:
    """The session that `answer` hands out, as a Cookie header."""
    found = {v.partition(";")[0] for v in answer.all("Set-Cookie") if v.startswith("session_id=")}
    assert len(found) == 1, answer.headers
    return found.pop()


def assert_protected(answer: Answer) -> None:
    """The five headers, and nothing that tells what runs here."""
    for name, value in HEADERS.items():
        assert answer.all(name) == [value], f"{answer.status}: {name}"
    assert answer.all("Server") == ["nginx"]
    assert answer.all("X-Powered-By") == []


def asked_of_odoo(production: Production, text: str) -> int:
    """How many requests with `text` in their path Odoo has logged."""
    return len(re.findall(rf'"[A-Z]+ \S*{re.escape(text)}\S* HTTP/', production.logs("odoo")))


def new_file() -> str:
    """The path of a static file that Nginx has not kept yet."""
    return f"{STATIC_FILE}?{secrets.token_hex(6)}"
