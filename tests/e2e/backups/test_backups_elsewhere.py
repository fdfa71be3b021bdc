"""Repositories on other machines, reached by one setting and credentials in files."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.support import images
from tests.e2e.support.odoo_data import OdooData, last_error
from tests.e2e.support.repository_server import REST_PORT, repository_server

pytestmark = pytest.mark.xdist_group("backup_faults")

_SFTP_PORT = 2022


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
    serve = ["restic", "--addr", f":{REST_PORT}", "--user", "me", "--pass", "open-sesame"]
    with repository_server(odoo_data.platform, *serve) as name:
        elsewhere = {"BACKUP_REPOSITORY": f"rest:http://{name}:{REST_PORT}/books"}
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
        image = images.in_use()["BACKUP_IMAGE"]
        run = ["docker", "run", "--rm", "--network", "none", *mount, image]
        subprocess.run([*run, *make[1:]], check=True, capture_output=True)
    port = ["--addr", f":{_SFTP_PORT}", "--user", "me"]
    trust = ["--authorized-keys", "/keys/ssh_key.pub", "--key", "/keys/host_key"]
    with repository_server(odoo_data.platform, "sftp", *port, *trust, keys=tmp_path) as name:
        elsewhere = {"BACKUP_REPOSITORY": f"sftp://me@{name}:{_SFTP_PORT}/books"}
        (credentials / "ssh_key").write_bytes((tmp_path / "ssh_key").read_bytes())
        (credentials / "ssh_key").chmod(0o600)
        (credentials / "known_hosts").write_text("")
        last_error(odoo_data.platform.inv("backup", **elsewhere))  # a host that nobody knows
        host = (tmp_path / "host_key.pub").read_text()
        (credentials / "known_hosts").write_text(f"[{name}]:{_SFTP_PORT} {host}")
        _goes_there_and_comes_back(odoo_data, elsewhere)
