"""What the archiver remembers from one start to the next."""

import errno
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from toolbox.archive import archiver, gaps, pgbackrest, queue
from toolbox.archive import status as status_module
from toolbox.archive.archiver import Archiver
from toolbox.archive.server import Server
from toolbox.contract.archive import ArchiveStatus
from toolbox.contract.codec import to_json
from toolbox.core.errors import Failure


class _StoppedError(Exception):
    pass


def test_the_time_in_which_it_is_switched_off_is_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (archiver, status_module):
        monkeypatch.setattr(module, "STATUS", tmp_path / "status.json")
    monkeypatch.setattr(gaps, "GAPS", tmp_path / "gaps.json")

    def stop(_: float) -> None:
        raise _StoppedError

    monkeypatch.setattr(time, "sleep", stop)
    until, segment = "2026-11-28T12:00:00+00:00", "000000010000000000000041"
    status = ArchiveStatus(time=until, begins=until, until=until, segment=segment)
    (tmp_path / "status.json").write_text(to_json(status))
    for _ in range(2):  # and no second one where it is started again
        with pytest.raises(_StoppedError):
            archiver.idle()
    assert not (tmp_path / "status.json").exists()
    [gap] = gaps.known()
    assert (gap.begins, gap.ends, gap.segment) == (until, "", segment)


_LINE = "0000000100000000000000"
_UNTIL = "2026-11-28T12:00:00+00:00"


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archiver:
    """One that has archived up to the segment 41 at noon."""
    for module in (archiver, status_module):
        monkeypatch.setattr(module, "STATUS", tmp_path / "status.json")
    monkeypatch.setattr(archiver, "SEGMENT", tmp_path / "segment")
    monkeypatch.setattr(gaps, "GAPS", tmp_path / "gaps.json")
    monkeypatch.setattr(queue, "QUEUE", tmp_path)
    monkeypatch.setattr(queue, "DATA", tmp_path)
    monkeypatch.setattr(queue, "_STATUS", tmp_path / "status")
    (tmp_path / "status").mkdir()
    (tmp_path / "pg_wal").mkdir()
    known = ArchiveStatus(time=_UNTIL, begins=_UNTIL, until=_UNTIL, segment=f"{_LINE}41")
    (tmp_path / "status.json").write_text(to_json(known))
    return Archiver()


def _hand_over(place: Path, name: str, written: str) -> None:
    seconds = datetime.fromisoformat(written).timestamp()
    (place / "pg_wal" / name).touch()
    os.utime(place / "pg_wal" / name, (seconds, seconds))
    for path in (place / "status" / f"{name}.ready", place / f"{name}.want"):
        path.touch()


def test_what_a_late_segment_covers_is_when_it_was_written_not_when_it_was_archived(
    begun: Archiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed: list[str] = []
    monkeypatch.setattr(pgbackrest, "run", lambda *words, **_: pushed.append(words[1]))
    _hand_over(tmp_path, f"{_LINE}42", "2026-11-28T12:00:30+00:00")
    begun._push()
    assert pushed == [str(tmp_path / "pg_wal" / f"{_LINE}42")]
    assert begun._covered() == ("2026-11-28T12:00:30+00:00", f"{_LINE}42")
    _hand_over(tmp_path, f"{_LINE}44", "2026-11-28T13:00:00+00:00")
    begun._push()
    [gap] = gaps.known()
    assert (gap.begins, gap.segment) == ("2026-11-28T12:00:30+00:00", f"{_LINE}42")


def test_a_full_disk_keeps_no_archived_segment_waiting(
    begun: Archiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(place: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(pgbackrest, "run", lambda *_, **__: "")
    monkeypatch.setattr(status_module, "write", full)
    _hand_over(tmp_path, f"{_LINE}42", "2026-11-28T12:00:30+00:00")
    begun._push()
    assert (tmp_path / f"{_LINE}42.done").exists()


def test_what_was_archived_elsewhere_meanwhile_is_a_gap_from_the_first(
    begun: Archiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Server, "ask", lambda self, query: [f"{_LINE}50"])
    begun._require_continuity()
    [gap] = gaps.known()
    assert (gap.begins, gap.segment) == (_UNTIL, f"{_LINE}41")


def test_one_that_cannot_begin_ends_so_that_the_engine_mounts_its_folders_again(
    begun: Archiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> str:
        raise Failure("the repository of backups no longer exists")

    clock = iter(range(0, 1000, 20))
    monkeypatch.setattr(begun, "_identify", away)
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with pytest.raises(Failure, match="cannot begin: the repository of backups no longer exists"):
        begun.run()


def test_no_moment_is_offered_whose_files_may_be_gone(begun: Archiver) -> None:
    begun._tell("", "")
    oldest = datetime.now(UTC) - timedelta(days=14)
    offered = datetime.fromisoformat(status_module.earlier().begins)
    assert offered == max(offered, oldest.replace(microsecond=0))
    begun._begins = "2020-01-01T00:00:00+00:00"
    begun._tell("", "")
    offered = datetime.fromisoformat(status_module.earlier().begins)
    assert abs((offered - oldest).total_seconds()) < 60
