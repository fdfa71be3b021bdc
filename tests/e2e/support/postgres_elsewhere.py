"""A PostgreSQL that the platform does not run: TLS with an authority of its own, no superuser."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from scripts.tls import certificates
from tests.e2e.support import images
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.tools import on_the_edge
from tests.support.waiting import eventually

NAME: Final = "db.test"
TENANT: Final = "tenant"  # a role that may not create databases, and its one, empty database
START: Final = (
    "install -o postgres -m 0600 /tls/server.key /tmp/server.key;"
    " exec docker-entrypoint.sh postgres -c ssl=on -c ssl_cert_file=/tls/server.crt"
    " -c ssl_key_file=/tmp/server.key -c hba_file=/tls/pg_hba.conf"
)
_RULES: Final = "local all all trust\nhostssl all all all scram-sha-256\n"
# What managed servers lack; `platform` is what platform.sql has made in the template.
_AS_MANAGED: Final = "DROP SCHEMA platform CASCADE; DROP ROLE odoo_restore"


def settings(tls: Path) -> list[str]:
    """The lines of `.env` for that server."""
    return [f"POSTGRES_EXTERNAL_HOST={NAME}", f"POSTGRES_EXTERNAL_CA_FILE={tls / 'ca.pem'}"]


def make_certificates(tls: Path) -> None:
    """Those of the server, of its authority (ca.pem), and of another one (other.pem)."""
    tls.mkdir()
    now = datetime.now(UTC)
    ca = certificates.make_ca(now)
    leaf = certificates.make_leaf(ca, [NAME], now)
    found = {"ca.pem": ca.certificate, "other.pem": certificates.make_ca(now).certificate}
    found |= {"server.crt": leaf.certificate, "server.key": leaf.key}
    for name, content in found.items():
        (tls / name).write_bytes(content)
    (tls / "pg_hba.conf").write_text(_RULES)


@contextmanager
def running(platform: Checkout, tls: Path) -> Iterator[str]:
    """The server, on the data that the volume odoo_db_data of `platform` has; its container."""
    volumes = [f"--volume={platform.project}_odoo_db_data:/var/lib/postgresql/data"]
    volumes += [f"--volume={tls}:/tls:ro", "--network-alias", NAME, "--entrypoint", "sh"]
    image = images.in_use(platform)["POSTGRES_IMAGE"]
    with on_the_edge(platform, "elsewhere", *volumes, image, "-c", START) as server:
        ready = ["docker", "exec", server, "pg_isready", "-q", "-h", "127.0.0.1"]
        assert eventually(lambda: platform.run(*ready).returncode == 0, 60)
        _administer(platform, server)
        yield server


def _administer(platform: Checkout, server: str) -> None:
    password = (platform.root / "secrets" / "db_password.txt").read_text().strip()
    words = [
        _AS_MANAGED,
        f"CREATE ROLE {TENANT} LOGIN PASSWORD '{password}'",
        f"CREATE DATABASE {TENANT} OWNER {TENANT}",
    ]
    psql = ["docker", "exec", server, "psql", "-q", "-U", "postgres"]
    done = platform.run(*psql, *(part for word in words for part in ("-c", word)))
    assert done.returncode == 0, done.stderr
