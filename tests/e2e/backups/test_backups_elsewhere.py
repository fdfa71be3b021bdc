"""Repositories on other machines, reached by one setting and credentials in files."""

import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.support.checkout import Checkout
from tests.e2e.support.odoo_data import OdooData, last_error
from tests.e2e.support.template import backup_image
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("engine")

_SFTP_PORT = 2022


@contextmanager
def _server(platform: Checkout, *serve: str, keys: Path | None = None) -> Iterator[str]:
    """A container that serves /data by rclone, until the block ends; its name."""
    name = f"{platform.project}-{secrets.token_hex(2)}"
    mounts = ["--tmpfs", "/data", *(["--volume", f"{keys}:/keys:ro"] if keys else [])]
    run = ["docker", "run", "--detach", "--rm", "--name", name, *mounts]
    network = ["--network", f"{platform.project}_edge", "--entrypoint", "rclone", backup_image()]
    done = platform.run(*run, *network, "serve", *serve, "/data")
    assert done.returncode == 0, done.stderr
    try:
        assert eventually(lambda: _is_up(_log(platform, name)), 30), _log(platform, name)
        yield name
    finally:
        platform.run("docker", "rm", "--force", "--volumes", name)


def _is_up(log: str) -> bool:
    return "erving" in log or "listening" in log


def _log(platform: Checkout, container: str) -> str:
    logs = platform.run("docker", "logs", container)
    return logs.stdout + logs.stderr


@pytest.fixture
def credentials(odoo_data: OdooData) -> Iterator[Path]:
    """The folder secrets/backup/, empty again afterwards."""
    folder = odoo_data.platform.root / "secrets" / "backup"
    yield folder
    for path in folder.iterdir():
        path.unlink()


def _goes_there_and_comes_back(odoo_data: OdooData, elsewhere: dict[str, str]) -> None:
    platform = odoo_data.platform
    made = odoo_data.back_up(**elsewhere)
    listed = json.loads(platform.inv("backup.list", "--json", **elsewhere).stdout)
    assert [row["id"] for row in listed] == [made["id"]]
    try:
        done = platform.inv("restore", "latest", "--to-database", "proof", **elsewhere)
        assert done.returncode == 0, done.stderr
        assert platform.sql("SELECT count(*) FROM ledger", "proof") == "999"
        assert "" not in odoo_data.files("proof").values()
    finally:
        platform.sql("DROP DATABASE IF EXISTS proof", "postgres")


def test_a_rest_server(odoo_data: OdooData, credentials: Path) -> None:
    serve = ["restic", "--addr", ":8080", "--user", "me", "--pass", "open-sesame"]
    with _server(odoo_data.platform, *serve) as name:
        elsewhere = {"BACKUP_REPOSITORY": f"rest:http://{name}:8080/books"}
        last_error(odoo_data.platform.inv("backup", **elsewhere))  # nobody gave the password
        words = "RESTIC_REST_USERNAME=me\nRESTIC_REST_PASSWORD=open-sesame\n"
        (credentials / "environment").write_text(words)
        _goes_there_and_comes_back(odoo_data, elsewhere)
        (credentials / "environment").write_text(words.replace("sesame", "wide"))
        assert "open-wide" not in last_error(odoo_data.platform.inv("backup", **elsewhere))


def test_an_sftp_server(odoo_data: OdooData, credentials: Path, tmp_path: Path) -> None:
    for name in ("ssh_key", "host_key"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", f"/keys/{name}"]
        mount = ["--volume", f"{tmp_path}:/keys", "--entrypoint", make[0]]
        run = ["docker", "run", "--rm", "--network", "none", *mount, backup_image()]
        subprocess.run([*run, *make[1:]], check=True, capture_output=True)
    port = ["--addr", f":{_SFTP_PORT}", "--user", "me"]
    trust = ["--authorized-keys", "/keys/ssh_key.pub", "--key", "/keys/host_key"]
    with _server(odoo_data.platform, "sftp", *port, *trust, keys=tmp_path) as name:
        elsewhere = {"BACKUP_REPOSITORY": f"sftp://me@{name}:{_SFTP_PORT}/books"}
        (credentials / "ssh_key").write_bytes((tmp_path / "ssh_key").read_bytes())
        (credentials / "ssh_key").chmod(0o600)
        (credentials / "known_hosts").write_text("")
        last_error(odoo_data.platform.inv("backup", **elsewhere))  # a host that nobody knows
        host = (tmp_path / "host_key.pub").read_text()
        (credentials / "known_hosts").write_text(f"[{name}]:{_SFTP_PORT} {host}")
        _goes_there_and_comes_back(odoo_data, elsewhere)
