"""The room that is left: asked for before, and looked at while something grows."""

import os
import queue
import shutil
import threading
from collections import namedtuple
from contextlib import suppress
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from toolbox.backup import pg_restore, proof, sandbox
from toolbox.core import databases, disk_space, properties
from toolbox.core.errors import Failure

_Usage = namedtuple("_Usage", "total used free")
_Stat = namedtuple("_Stat", "f_bavail f_frsize")


@pytest.mark.parametrize(
    ("free", "wanted", "fits"),
    [(20 << 30, 18 << 30, True), (20 << 30, 20 << 30, False), (20 << 30, 10 << 30, True)],
)
def test_room_is_asked_with_a_reserve_and_once_for_all_of_a_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, wanted: int, fits: bool
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage(100 << 30, 0, free))
    half = [(tmp_path, wanted // 2), (tmp_path / ".", wanted // 2), (tmp_path / "no", 1 << 60)]
    if fits:
        disk_space.require(half, "it")
        return
    with pytest.raises(Failure, match=r"no room for it: 21474\.8 MB"):
        disk_space.require(half, "it")


def test_the_disk_of_a_server_elsewhere_is_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_space, "DATABASE", tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage(100 << 30, 0, 0))
    monkeypatch.setenv("PGHOST", "db.test")
    disk_space.require([(tmp_path, 1 << 30)], "it")
    monkeypatch.setenv("PGHOST", "odoo_db")
    with pytest.raises(Failure, match="no room"):
        disk_space.require([(tmp_path, 1 << 30)], "it")


def test_what_grows_is_stopped_before_the_reserve_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [5, 5, 1]
    monkeypatch.setattr(disk_space, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(disk_space, "reserve", lambda _: 3)
    monkeypatch.setattr(os, "statvfs", lambda _: _Stat(left.pop(0), 1))
    stopped = threading.Event()
    with (
        pytest.raises(Failure, match="nearly full"),
        disk_space.Watch([tmp_path], stopped.set),
    ):
        assert stopped.wait(5) and not left


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> "queue.Queue[int]":
    """The codes that the process would have ended with at once."""
    codes: queue.Queue[int] = queue.Queue()
    monkeypatch.setattr(os, "_exit", codes.put)
    return codes


def test_a_full_disk_ends_the_sandbox_whatever_lies_in_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    exits: "queue.Queue[int]",
) -> None:
    # Files that go away while they are listed, and what cannot be unlinked.
    (tmp_path / "out" / "folder").mkdir(parents=True)
    monkeypatch.setattr(sandbox, "OUT", tmp_path / "out")
    monkeypatch.setattr(sandbox, "HERE", tmp_path)
    monkeypatch.setattr(disk_space, "free", lambda _: 1_000_000)
    monkeypatch.setattr(Path, "rglob", lambda *_: [tmp_path / "gone"])
    with pytest.raises(OSError, match="folder"):
        sandbox._stop(8_000_000)
    assert exits.get_nowait() == 1
    assert capsys.readouterr().err.endswith("loading was stopped at 7 MB\n")


@pytest.mark.parametrize("part", ["stop", "statvfs"])
def test_where_nobody_can_look_at_what_grows_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exits: "queue.Queue[int]", part: str
) -> None:

    def broken(*_: object) -> None:
        raise FileNotFoundError("gone")

    monkeypatch.setattr(disk_space, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(disk_space, "reserve", lambda _: 3)
    monkeypatch.setattr(os, "statvfs", broken if part == "statvfs" else lambda _: _Stat(1, 1))
    watch = disk_space.Watch([tmp_path], broken)
    codes = []
    with suppress(Failure), watch:
        codes.append(exits.get(timeout=5))
    assert codes == [1]


@pytest.mark.parametrize("moment", ["before", "meanwhile"])
def test_a_proof_that_finds_no_room_on_the_volume_of_postgresql_is_none_of_the_dump(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    free = {"/cache": 90 << 30, str(tmp_path): 100_000_000 if moment == "before" else 90 << 30}
    monkeypatch.setattr(disk_space, "DATABASE", tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: _Usage(100 << 30, 0, free[str(place)]))
    for name, answer in (("_save_schema", "digest"), ("_known", {})):
        monkeypatch.setattr(proof, name, lambda *_, answer=answer: answer)
    monkeypatch.setattr(properties, "functions", lambda _: {})
    monkeypatch.setattr(pg_restore, "clean_up", lambda: None)
    for name in ("drop", "create"):
        monkeypatch.setattr(databases, name, lambda *_: None)

    def fill(*_: object) -> None:
        raise disk_space.NoSpaceError("PostgreSQL's volume is nearly full")

    monkeypatch.setattr(pg_restore, "fill", fill)
    found = proof.try_restore("odoo", None, "1-1", MagicMock())
    assert found.verdict.startswith("whether it can be restored was not tried: PostgreSQL's volume")
    assert found.hint == "Make room there; then run `inv backup` again."
