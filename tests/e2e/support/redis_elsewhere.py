"""A Redis that the platform does not run: TLS, a user of its own, a replica, and a Sentinel.

One container has all three, on ports of their own, so that a test has one to wait for.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from scripts.tls import certificates
from tests.e2e.support import images
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.tools import on_the_edge
from tests.support.waiting import eventually

NAME: Final = "redis.test"
MASTER: Final = "main"
PORTS: Final = (6379, 6380)
SENTINEL: Final = 26379
PASSWORD: Final = 'Zr7"q\\Lw2mX-vT9kB4'  # what has to be escaped in JSON is in it
START: Final = (
    "cp /elsewhere/*.conf /tmp && cd /tmp;"
    " redis-server first.conf --pidfile /tmp/first.pid --daemonize yes;"
    " redis-server second.conf & exec redis-server sentinel.conf --sentinel"
)
_USER: Final = "shop"
_TLS: Final = """\
tls-cert-file /elsewhere/server.crt
tls-key-file /elsewhere/server.key
tls-ca-cert-file /elsewhere/ca.pem
tls-auth-clients no
tls-replication yes
port 0
dir /tmp
"""
_PAGE: Final = Path(__file__).parents[3] / "docs" / "external-redis.md"


def _rules() -> str:
    """What the user may do, as the page has it: with that, and no more, everything works."""
    found = re.search(r"^ACL SETUSER odoo on >PASSWORD (.+)$", _PAGE.read_text(), re.MULTILINE)
    assert found
    return found[1]


def settings(folder: Path) -> list[str]:
    """The lines of `.env` for that server, by its own address."""
    return [
        f"REDIS_EXTERNAL_HOST={NAME}",
        f"REDIS_EXTERNAL_USER={_USER}",
        f"REDIS_EXTERNAL_CA_FILE={folder / 'ca.pem'}",
    ]


def by_sentinel() -> Mapping[str, str]:
    """What is different in the environment, for the same one by its Sentinel."""
    return {
        "REDIS_EXTERNAL_HOST": "",
        "REDIS_EXTERNAL_SENTINELS": f"nobody.test:{SENTINEL},{NAME}:{SENTINEL}",
        "REDIS_EXTERNAL_MASTER": MASTER,
        "REDIS_EXTERNAL_SENTINEL_AUTH": "true",
    }


def prepare(folder: Path) -> None:
    """Configuration and certificates: the server, ca.pem of its authority, other.pem."""
    folder.mkdir()
    now = datetime.now(UTC)
    ca = certificates.make_ca(now)
    leaf = certificates.make_leaf(ca, [NAME], now)
    quoted = PASSWORD.replace("\\", r"\\").replace('"', r"\"")
    common = f'{_TLS}requirepass "{quoted}"\n'
    server = (
        f'user {_USER} on ">{quoted}" {_rules()}\nmasterauth "{quoted}"\n'
        f"replica-announce-ip {NAME}\nrepl-diskless-sync-delay 0\nappendonly yes\n"
    )
    first, second = PORTS
    found: dict[str, bytes | str] = {
        "ca.pem": ca.certificate,
        "other.pem": certificates.make_ca(now).certificate,
        "server.crt": leaf.certificate,
        "server.key": leaf.key,
        "first.conf": f"{common}{server}tls-port {first}\nappenddirname first\n",
        "second.conf": f"{common}{server}tls-port {second}\nappenddirname second\n"
        f"replicaof {NAME} {first}\n",
        "sentinel.conf": f"{common}tls-port {SENTINEL}\nsentinel resolve-hostnames yes\n"
        f"sentinel announce-hostnames yes\nsentinel monitor {MASTER} {NAME} {first} 1\n"
        f'sentinel auth-pass {MASTER} "{quoted}"\n'
        f"sentinel down-after-milliseconds {MASTER} 2000\n"
        f"sentinel failover-timeout {MASTER} 6000\n",
    }
    for name, content in found.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


@dataclass(frozen=True)
class Elsewhere:
    """The container."""

    platform: Checkout
    container: str

    def ask(self, *command: str, port: int = PORTS[0]) -> str:
        """What a server answers its administrator; '' where it does not."""
        cli = ["redis-cli", "-h", NAME, "-p", str(port), "--tls", "--cacert", "/elsewhere/ca.pem"]
        auth = ["docker", "exec", "--env", f"REDISCLI_AUTH={PASSWORD}", self.container]
        done = self.platform.run(*auth, *cli, *command)
        return done.stdout.strip()

    def stop_master(self) -> None:
        """As a crash would."""
        kill = 'kill -9 "$(cat /tmp/first.pid)"'
        done = self.platform.run("docker", "exec", self.container, "sh", "-c", kill)
        assert done.returncode == 0, done.stderr


@contextmanager
def running(platform: Checkout, folder: Path) -> Iterator[Elsewhere]:
    """All three, on the network where Nginx is."""
    options = [f"--volume={folder}:/elsewhere:ro", "--init", "--network-alias", NAME]
    image = images.in_use(platform)["REDIS_IMAGE"]
    with on_the_edge(platform, "redis", *options, "--entrypoint", "sh", image, "-c", START) as name:
        found = Elsewhere(platform, name)
        linked = "master_link_status:up"
        assert eventually(lambda: linked in found.ask("info", "replication", port=PORTS[1]), 60)
        yield found
