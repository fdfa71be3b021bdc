"""Pebble, Let's Encrypt's own test server, and a site that asks it for certificates."""

import http.client
import json
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from cryptography import x509

from scripts.tls import certificates
from tests.e2e.support import images
from tests.e2e.support.checkout import Checkout, free_port
from tests.e2e.support.tools import on_the_edge
from tests.support.waiting import eventually

IMAGE = "localhost/ipai/test-pebble:1"
DOMAIN = "odoo.test"
# Every name that Docker's DNS shall lead to Nginx; Pebble asks that DNS.
ALIASES = (DOMAIN, "shop.test", "new.test", "blocked.test")
VALID_SECONDS = 7_776_000  # 90 days, as Let's Encrypt's
_PROFILE = ["docker", "compose", "-f", "compose.yaml", "-f", "compose.prod.yaml"]


@dataclass(frozen=True)
class Pebble:
    """One authority, reachable as `https://NAME:14000/dir` from the site's network."""

    checkout: Checkout
    name: str = "pebble"
    valid_seconds: int = VALID_SECONDS
    management_port: int = field(default_factory=free_port)

    @property
    def container(self) -> str:
        """The name of its container."""
        return f"{self.checkout.project}-{self.name}"

    @property
    def directory(self) -> str:
        """What ACME_SERVER is set to."""
        return f"https://{self.name}:14000/dir"

    @contextmanager
    def running(self, folder: Path) -> Iterator["Pebble"]:
        """This authority while the block runs."""
        try:
            self.start(folder)
            yield self
        finally:
            self.stop()

    def start(self, folder: Path) -> None:
        """Start it with the HTTPS certificate in `folder`, made by `make_identity`."""
        config = {
            "listenAddress": "0.0.0.0:14000",
            "managementListenAddress": "0.0.0.0:15000",
            "certificate": "/etc/pebble/pebble.pem",
            "privateKey": "/etc/pebble/pebble.key",
            "httpPort": 80,
            "tlsPort": 443,
            "domainBlocklist": ["blocked.test"],
            "retryAfter": {"authz": 1, "order": 1},
            "certificateValidityPeriod": self.valid_seconds,
        }
        (folder / f"{self.name}.json").write_text(json.dumps({"pebble": config}))
        # No artificial waiting and no refused nonces; every order is checked again.
        env = ["PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", "PEBBLE_AUTHZREUSE=0"]
        run = ["docker", "run", "--detach", "--name", self.container, "--read-only"]
        run += ["--network", f"{self.checkout.project}_edge", "--network-alias", self.name]
        run += ["--publish", f"127.0.0.1:{self.management_port}:15000", "--cap-drop", "ALL"]
        run += [part for value in env for part in ("--env", value)]
        run += ["--volume", f"{folder}:/etc/pebble:ro", IMAGE]
        started = self.checkout.run(*run, "-config", f"/etc/pebble/{self.name}.json")
        assert started.returncode == 0, started.stderr
        assert eventually(self.root, 20), "Pebble does not answer"

    def root(self) -> str:
        """The certificate that clients of this authority trust; '' if it does not answer."""
        url = f"https://127.0.0.1:{self.management_port}/roots/0"
        try:
            return requests.get(url, verify=str(identity(self.checkout) / "ca.pem"), timeout=5).text
        except requests.RequestException:
            return ""

    def stop(self) -> None:
        """Remove it, and with it all that it knows."""
        self.checkout.run("docker", "rm", "--force", "--volumes", self.container)


def identity(checkout: Checkout) -> Path:
    """The folder of what Pebble needs; virtual machines of macOS see the clone only."""
    return checkout.root / ".state" / "pebble"


def make_identity(folder: Path, *names: str) -> Path:
    """What Pebble shows over HTTPS, for `names`; returns the CA file to trust."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    ca = certificates.make_ca(now)
    leaf = certificates.make_leaf(ca, names, now)
    (folder / "ca.pem").write_bytes(ca.certificate)
    (folder / "pebble.pem").write_bytes(leaf.certificate)
    (folder / "pebble.key").write_bytes(leaf.key)
    return folder / "ca.pem"


@dataclass(frozen=True)
class Site:
    """A clone of which only Nginx runs, in production environment: all that ACME needs."""

    checkout: Checkout
    https_port: int = field(default_factory=free_port)

    @property
    def identity(self) -> Path:
        """See `identity`."""
        return identity(self.checkout)

    def prepare(self) -> None:
        """Settings, secrets, and names in Docker's DNS."""
        ca = make_identity(self.identity, "pebble", "pebble-brief", "refusing", "127.0.0.1")
        values = {
            "PLATFORM_ENV": "prod",
            "NGINX_HTTPS_PORT": str(self.https_port),
            "ODOO_DOMAIN": DOMAIN,
            "ACME_SERVER": "https://pebble:14000/dir",
            "ACME_CA_FILE": str(ca),
        }
        images.write_settings(self.checkout, *(f"{k}={v}" for k, v in values.items()))
        overlay = self.checkout.root / "compose.prod.yaml"
        aliases = f"  nginx:\n    networks: {{ edge: {{ aliases: [{', '.join(ALIASES)}] }} }}\n"
        overlay.write_text(overlay.read_text().replace("  nginx:\n", aliases, 1))
        assert self.checkout.inv("secrets").returncode == 0

    def compose(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Plain `docker compose` with the production overlay."""
        return self.checkout.run(*_PROFILE, *arguments)

    def setting(self, name: str) -> str:
        """A value in `.env`."""
        lines = (self.checkout.root / ".env").read_text().splitlines()
        found = [line.partition("=")[2].strip('"') for line in lines if line.startswith(f"{name}=")]
        return found[-1] if found else ""

    @property
    def current(self) -> Path:
        """The certificate in use."""
        return self.checkout.root / "nginx" / "certs" / "current"

    def served(self, name: str = DOMAIN) -> x509.Certificate:
        """The certificate that Nginx shows to who asks for `name`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with self._connect(context, name) as connection:
            shown = connection.getpeercert(binary_form=True)
        assert shown
        return x509.load_der_x509_certificate(shown)

    def get(self, path: str, root: str, name: str = DOMAIN) -> int:
        """The status of a GET by a client that trusts only `root`."""
        context = ssl.create_default_context(cadata=root)
        context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        with self._connect(context, name) as connection:
            client = http.client.HTTPConnection(name)
            client.sock = connection
            client.request("GET", path)
            return client.getresponse().status

    def _connect(self, context: ssl.SSLContext, name: str) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.https_port), timeout=10)
        return context.wrap_socket(plain, server_hostname=name)

    def nginx(self) -> str:
        """The id of Nginx's container and when it was started: a restart changes it."""
        state: dict[str, Any] = self.checkout.inspect("nginx")
        return f"{state['Id']} {state['State']['StartedAt']}"


@contextmanager
def neighbour(site: Site, alias: str, image: str, *options: str) -> Iterator[None]:
    """A container of `image` called `alias` in the site's network while the block runs."""
    with on_the_edge(site.checkout, "neighbour", "--network-alias", alias, *options, image):
        yield


@contextmanager
def refusing(site: Site, status: int, problem: str, detail: str) -> Iterator[str]:
    """The directory of an authority that is as Pebble, but answers orders with a problem."""
    body = json.dumps({"type": f"urn:ietf:params:acme:error:{problem}", "detail": detail})
    (site.identity / "refusing.conf").write_text(
        "server { listen 14000 ssl;\n"
        "ssl_certificate /etc/pebble/pebble.pem; ssl_certificate_key /etc/pebble/pebble.key;\n"
        "location = /order-plz { default_type application/problem+json;"
        f" return {status} '{body}'; }}\n"
        "location / { proxy_pass https://pebble:14000; proxy_set_header Host $http_host; } }\n"
    )
    image = images.in_use(site.checkout)["NGINX_IMAGE"]
    mounts = ["--volume", f"{site.identity}:/etc/pebble:ro"]
    mounts += ["--volume", f"{site.identity}/refusing.conf:/etc/nginx/conf.d/default.conf:ro"]
    with neighbour(site, "refusing", image, *mounts):
        yield "https://refusing:14000/dir"


@contextmanager
def edited(path: Path, change: Callable[[str], str]) -> Iterator[None]:
    """`path` with other content while the block runs."""
    before = path.read_text()
    path.write_text(change(before))
    try:
        yield
    finally:
        path.write_text(before)
