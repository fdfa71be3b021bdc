"""The key of a repository on another machine."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.support.checkout import Checkout
from tests.e2e.support.template import backup_image
from tests.support.waiting import eventually


@contextmanager
def _server(platform: Checkout) -> Iterator[str]:
    """A container that keeps a repository; its address."""
    name = f"{platform.project}-elsewhere"
    run = ["docker", "run", "--detach", "--rm", "--name", name, "--tmpfs", "/data"]
    network = ["--network", f"{platform.project}_edge", "--entrypoint", "rclone", backup_image()]
    done = platform.run(*run, *network, "serve", "restic", "--addr", ":8080", "/data")
    assert done.returncode == 0, done.stderr
    try:
        logs = ["docker", "logs", name]
        assert eventually(lambda: "erving" in platform.run(*logs).stderr, 30)
        yield f"rest:http://{name}:8080/books"
    finally:
        platform.run("docker", "rm", "--force", "--volumes", name)


@pytest.fixture
def key(platform: Checkout) -> Iterator[bytes]:
    """The key of the repository here, which is the one in use again afterwards."""
    path = platform.root / "secrets" / "backup_key.txt"
    before = path.read_bytes()
    yield before
    path.write_bytes(before)
    (platform.root / ".state" / "backup-repository").unlink(missing_ok=True)
    for kept in path.parent.glob("backup_key.until-*.txt"):
        kept.unlink()


def test_the_key_of_a_repository_elsewhere_is_kept_and_rotated(
    platform: Checkout, key: bytes
) -> None:
    path = platform.root / "secrets" / "backup_key.txt"
    path.unlink()
    with _server(platform) as address:
        elsewhere = {"BACKUP_REPOSITORY": address}
        assert platform.inv("secrets", **elsewhere).returncode == 0  # there is none yet
        done = platform.inv("backup", **elsewhere)
        assert done.returncode == 0, done.stderr
        first = path.read_bytes()
        done = platform.inv("secrets.rotate", "backup_key", **elsewhere)
        assert done.returncode == 0, done.stderr
        second = path.read_bytes()
        assert second not in (key, first)
        (platform.root / ".state" / "backup-repository").unlink()  # as on a new machine
        done = platform.inv("secrets.rotate", "backup_key", **elsewhere)
        assert done.returncode == 0, done.stderr
        assert path.read_bytes() not in (key, first, second)
        assert len(platform.inv("backup.list", **elsewhere).stdout.splitlines()) == 2
        path.write_bytes(first)
        assert "does not open" in platform.inv("backup.list", **elsewhere).stderr
        path.unlink()
        done = platform.inv("secrets", **elsewhere)
        assert done.returncode == 1 and not path.exists()
        assert "a repository is at BACKUP_REPOSITORY" in done.stderr
    done = platform.inv("secrets", **elsewhere)  # that machine is away
    assert done.returncode == 1 and not path.exists()
    assert "cannot be seen" in done.stderr
