"""Continuous archiving to another machine: S3 by https, and SFTP."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.e2e.support import images, tools
from tests.e2e.support.archiving import await_status, restored
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.template import Template, running_copy
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("archive_elsewhere")

_BEGIN_SECONDS = 120
_NAMED = ("--hostname", "storage", "--network-alias", "storage")


@pytest.fixture(scope="module")
def platform(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """One that archives, to its own disk so far."""
    checkout = Checkout.clone(tmp_path_factory.mktemp("elsewhere") / "clone")
    with running_copy(template, checkout, "BACKUP_CONTINUOUS=true") as running:
        yield running


@pytest.fixture(scope="module")
def image(platform: Checkout) -> str:
    """Of the other machine."""
    return tools.build(platform, "storage")


def _goes_there_and_comes_back(platform: Checkout, place: str, credentials: dict[str, str]) -> None:
    for name, text in credentials.items():
        path = platform.root / "secrets" / "backup" / name
        path.write_text(text)
        path.chmod(0o600)
    settings = platform.root / ".env"
    others = [s for s in settings.read_text().splitlines() if "BACKUP_REPOSITORY" not in s]
    settings.write_text("\n".join([*others, f"BACKUP_REPOSITORY={place}"]) + "\n")
    begun = datetime.now(UTC).isoformat(timespec="seconds")
    for command in (("up",), ("backup", "--new-repository")):
        done = platform.inv(*command)
        assert done.returncode == 0, done.stderr
    await_status(
        platform,
        # Not what was told of the repository before.
        lambda found: bool(found["base"]) and found["base"]["begins"] >= begun,
        _BEGIN_SECONDS,
    )
    platform.sql("CREATE TABLE IF NOT EXISTS told (place text)")
    platform.sql(f"INSERT INTO told VALUES ('{place}')")
    moment = time.time()
    platform.sql("DELETE FROM told")
    assert restored(platform, moment)["missing_files"] == 0
    assert platform.sql("SELECT place FROM told", "past") == place
    done = platform.inv("backup.check", "--data")
    assert done.returncode == 0, done.stderr


def _await_service(platform: Checkout, name: str) -> None:
    def log() -> str:
        return platform.run("docker", "logs", name).stdout

    assert eventually(lambda: "serving" in log(), 30), log()


def test_s3_by_https_with_an_authority_of_its_own(platform: Checkout, image: str) -> None:
    with tools.on_the_edge(platform, "storage", *_NAMED, image, "s3") as name:
        _await_service(platform, name)
        keys = {
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "something",
            "RESTIC_CACERT": "/run/backup-credentials/ca.pem",
        }
        credentials = {
            "environment": "".join(f"{key}={value}\n" for key, value in keys.items()),
            "ca.pem": platform.run("docker", "exec", name, "cat", "/run/ca.pem").stdout,
        }
        _goes_there_and_comes_back(platform, "s3:https://storage/books/of/ours", credentials)


def test_sftp_by_openssh(platform: Checkout, image: str, tmp_path: Path) -> None:
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", "/keys/ssh_key"]
    mount = ["--volume", f"{tmp_path}:/keys", "--entrypoint", make[0]]
    backup = images.in_use()["BACKUP_IMAGE"]
    platform.run("docker", "run", "--rm", "--network", "none", *mount, backup, *make[1:])
    public = (tmp_path / "ssh_key.pub").read_text().strip()
    with tools.on_the_edge(platform, "storage", *_NAMED, image, "sftp", public) as name:
        _await_service(platform, name)
        own = platform.run("docker", "exec", name, "sh", "-c", "cat /etc/ssh/ssh_host_*_key.pub")
        credentials = {
            "ssh_key": (tmp_path / "ssh_key").read_text(),
            "known_hosts": "".join(f"storage {key}\n" for key in own.stdout.splitlines()),
        }
        _goes_there_and_comes_back(platform, "sftp://me@storage//home/me/books", credentials)
