"""The key of a repository on another machine."""

from collections.abc import Iterator

import pytest

from tests.e2e.support.checkout import Checkout
from tests.e2e.support.repository_server import REST_PORT, repository_server


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
    with repository_server(platform, "restic", "--addr", f":{REST_PORT}") as name:
        elsewhere = {"BACKUP_REPOSITORY": f"rest:http://{name}:{REST_PORT}/books"}
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
