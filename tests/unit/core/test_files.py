import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.core.errors import OpsError
from scripts.core.files import LockedError, digest, file_lock, make_private_folder, write_atomic
from tests.conftest import ROOT

_HOLDER = """
import sys
from pathlib import Path
from scripts.core.files import file_lock
with file_lock(Path(sys.argv[1]), "up"):
    print("held", flush=True)
    sys.stdin.read()
"""


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def _no_room(limit: int) -> Iterator[None]:
    """No file may grow beyond `limit` bytes: to a writer it is a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def _holder(lock: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds `lock` until its standard input ends."""
    child = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        yield child
    finally:
        child.communicate()


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_a_file_gets_its_mode_whatever_the_umask(tmp_path: Path, mode: int) -> None:
    before = os.umask(0o077)
    try:
        write_atomic(tmp_path / "file", b"x", mode)
    finally:
        os.umask(before)
    assert _mode(tmp_path / "file") == mode


def test_a_private_file_is_never_readable_by_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        seen.append((stat.S_IMODE(status.st_mode), status.st_size))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    before = os.umask(0)
    try:
        write_atomic(tmp_path / "secret", b"value", 0o600)
    finally:
        os.umask(before)
    assert seen == [(0o600, 5)]  # all of it written, still under its temporary name


def test_writing_over_a_file_replaces_content_and_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("a much longer old content")
    path.chmod(0o644)
    write_atomic(path, b"new", 0o600)
    assert path.read_bytes() == b"new"
    assert _mode(path) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_leaves_the_old_content_and_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with _no_room(1024), pytest.raises(OpsError, match="cannot write") as caught:
        write_atomic(path, b"x" * 100_000)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert "previous content is untouched" in caught.value.hint


def test_a_folder_that_cannot_be_written_is_an_error_for_people(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="cannot write"):
        write_atomic(tmp_path / "missing" / "file", b"x")


def test_what_root_makes_belongs_to_the_owner_of_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda _, user, group: given.append((user, group)))
    owner = (tmp_path.stat().st_uid, tmp_path.stat().st_gid)
    write_atomic(tmp_path / "file", b"x")
    with file_lock(tmp_path / "made" / "lock", "test"):
        assert given == [owner] * 3  # the file, the folder, the lock in it

    def refuse(*_: object) -> None:
        raise PermissionError("a file system without owners")

    monkeypatch.setattr(os, "chown", refuse)
    write_atomic(tmp_path / "file", b"y")
    assert (tmp_path / "file").read_bytes() == b"y"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OpsError, match="cannot write"):
            write_atomic(path, b"new")
    finally:
        tmp_path.chmod(0o700)
    assert path.read_text() == "old"


def test_a_private_folder_is_narrowed_where_it_was_open(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o755)
    make_private_folder(folder)
    assert _mode(folder) == 0o700


def test_a_file_in_the_place_of_a_folder_is_an_error_for_people(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("")
    with pytest.raises(OpsError, match="cannot make the folder"):
        make_private_folder(tmp_path / "secrets")


def test_a_digest_changes_with_content_name_mode_and_salt(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("one")
    first = digest([path], tmp_path, "salt")
    assert digest([path], tmp_path, "salt") == first
    assert digest([path], tmp_path, "pepper") != first
    path.chmod(0o755)
    assert digest([path], tmp_path, "salt") != first
    path.chmod(0o644)
    other = path.rename(tmp_path / "other")
    assert digest([other], tmp_path, "salt") != first
    other.rename(path).write_text("two")
    assert digest([path], tmp_path, "salt") != first


def test_a_taken_lock_names_who_holds_it(tmp_path: Path) -> None:
    lock = tmp_path / "state" / "lock"
    with _holder(lock) as child:
        with pytest.raises(OpsError) as caught, file_lock(lock, "down"):
            pytest.fail("two commands hold one lock")
        assert caught.value.message == f"`inv up` (process {child.pid}) is still running"
    with file_lock(lock, "down"):
        assert lock.read_text() == f"`inv down` (process {os.getpid()})"


def test_a_full_disk_takes_no_lock_away(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    again = pytest.raises(LockedError, match="another command is still running")
    with _no_room(0), file_lock(lock, "health"), again, file_lock(lock, "up"):
        pytest.fail("two commands hold one lock")


def test_a_killed_holder_leaves_no_lock_behind(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with _holder(lock) as child:
        child.kill()
        child.wait()
        with file_lock(lock, "up"):
            pass


def test_a_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inside"), file_lock(tmp_path / "lock", "up"):
        raise ValueError("inside")
    with file_lock(tmp_path / "lock", "up"):
        pass
