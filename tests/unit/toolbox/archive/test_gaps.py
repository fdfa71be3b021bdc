"""Segments that are missing, and when a base backup is due."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from toolbox.archive import bases, gaps, queue
from toolbox.contract.archive import ArchiveInfo, BaseBackup, Gap
from toolbox.core.errors import Failure

_DAY = 86_400.0
_NOW = bases.seconds("2026-11-28T12:00:00+00:00")


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaps, "GAPS", tmp_path / "gaps.json")


@pytest.mark.parametrize(
    ("last", "name", "follows"),
    [
        ("", "000000010000000000000042", True),  # the first there is
        ("000000010000000000000041", "000000010000000000000042", True),
        ("000000010000000000000041", "000000010000000000000043", False),
        ("0000000100000000000000FF", "000000010000000100000000", True),
        ("0000000100000000000000FF", "000000010000000100000001", False),
        ("000000010000000000000041", "000000010000000000000041", True),  # asked for again
        ("000000010000000000000041", "000000010000000000000030", True),
        ("000000010000000000000041", "000000020000000000000041", True),  # another timeline
    ],
)
def test_no_segment_may_be_left_out(last: str, name: str, follows: bool) -> None:
    assert gaps.follows(name, last) is follows


def test_a_gap_is_open_until_a_base_backup_has_begun_after_it() -> None:
    assert not gaps.is_open()
    gaps.begin("2026-11-28T10:00:00+00:00", "000000010000000000000041", "a test")
    gaps.begin("2026-11-28T11:00:00+00:00", "000000010000000000000051", "the same one")
    assert gaps.is_open()
    gaps.end("2026-11-28T09:59:00+00:00", "2026-11-28T10:01:00+00:00")  # begun before it
    assert gaps.is_open()
    gaps.end("2026-11-28T10:30:00+00:00", "2026-11-28T10:31:00+00:00")
    gap = Gap(
        begins="2026-11-28T10:00:00+00:00",
        ends="2026-11-28T10:31:00+00:00",
        segment="000000010000000000000041",
    )
    assert gaps.known() == (gap,) and not gaps.is_open()
    gaps.forget("2026-11-28T10:30:00+00:00")
    assert gaps.known() == (gap,)
    gaps.forget("2026-11-29T00:00:00+00:00")
    assert gaps.known() == ()


def _made(kind: str, days_ago: float) -> BaseBackup:
    from toolbox.archive.pgbackrest import iso

    moment = iso(_NOW - days_ago * _DAY)
    return BaseBackup(label=kind, kind=kind, begins=moment, ends=moment, bytes=1, added=1)


@pytest.mark.parametrize(
    ("made", "gap", "due"),
    [
        ([], False, "full"),
        ([_made("full", 0.5)], False, ""),
        ([_made("full", 1)], False, "incr"),
        ([_made("full", 3), _made("incr", 0.2)], False, ""),
        ([_made("full", 3), _made("incr", 0.2)], True, "incr"),
        ([_made("full", 7), _made("incr", 0.2)], False, "full"),
        ([_made("incr", 0.2)], False, "full"),  # its full one is gone
        ([_made("full", -2)], False, ""),  # the clock was set back: it would be refused
    ],
)
def test_when_a_base_backup_is_due(made: list[BaseBackup], gap: bool, due: str) -> None:
    found = ArchiveInfo(name="a", postgresql="16", bases=tuple(made))
    assert bases.due(found, _NOW, gap=gap) == due


_LINE = "0000000100000000000000"


@pytest.mark.parametrize(
    ("there", "gap", "bases_at", "missing"),
    [
        ("06 07 08 09", "", ["06"], []),
        ("06 08 09", "", ["06"], ["07"]),
        ("04 06 07", "", ["06"], []),  # 05 was before the first base backup
        ("06 07 0B 0C", "07", ["06", "0B"], []),
        ("06 07 0B 0D", "07", ["06", "0B"], ["0C"]),
        ("06 08 0B 0C", "08", ["06", "0B"], ["07"]),
        ("06 07 0B 0C", "07", ["06"], []),  # no base backup has followed yet
    ],
)
def test_what_is_missing_and_no_known_gap_is_found(
    there: str, gap: str, bases_at: list[str], missing: list[str]
) -> None:
    if gap:
        gaps.begin("2026-11-28T10:00:00+00:00", _LINE + gap, "a test")
    made = tuple(
        BaseBackup(label=b, kind="full", begins="", ends="", bytes=1, added=1, segment=_LINE + b)
        for b in bases_at
    )
    found = ArchiveInfo(name="a", postgresql="16", bases=made)
    segments = [_LINE + s for s in there.split()]
    assert gaps.missing(segments, found, gaps.known()) == [_LINE + m for m in missing]


@pytest.mark.parametrize(
    ("moment", "refused"), [("11:00", False), ("13:00", True), ("15:00", False), ("17:00", True)]
)
def test_a_moment_in_a_gap_is_refused(moment: str, refused: bool) -> None:
    day = "2026-11-28T"
    gaps.begin(f"{day}12:00:00+00:00", _LINE + "07", "a test")
    gaps.end(f"{day}13:30:00+00:00", f"{day}14:00:00+00:00")
    gaps.begin(f"{day}16:00:00+00:00", _LINE + "0C", "a test")
    with pytest.raises(Failure, match="no WAL") if refused else nullcontext():
        gaps.require_none_at(f"{day}{moment}:00+00:00")


@pytest.mark.parametrize(
    ("last", "ready", "current", "lost"),
    [
        ("07", "", "07", False),
        ("07", "", "08", False),  # what is open has not been handed over yet
        ("07", "08 09", "0A", False),
        ("07", "09", "0A", True),
        ("07", "", "09", True),  # archived elsewhere, or not at all
        ("", "", "09", False),  # the first one
    ],
)
def test_wal_that_was_lost_while_nothing_was_archived_is_noticed_at_the_start(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    last: str,
    ready: str,
    current: str,
    lost: bool,
) -> None:
    monkeypatch.setattr(queue, "_STATUS", tmp_path)
    for name in ready.split():
        (tmp_path / f"{_LINE}{name}.ready").touch()
    assert gaps.lost_since(last and _LINE + last, _LINE + current) is lost
