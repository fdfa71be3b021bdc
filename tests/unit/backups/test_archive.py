"""What continuous archiving covers, and when `inv health` is not content with it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scripts.backups import archive, archive_health
from scripts.backups.moments import Moment
from scripts.core.archive_settings import ArchiveSettings
from scripts.core.checks import InapplicableError, Status
from scripts.core.errors import OpsError, UsageError
from tests.unit.support.fakes import settings_in
from toolbox.contract.archive import TRANSACTION, ArchiveStatus, BaseBackup, Gap
from toolbox.contract.codec import to_json

_NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def _ago(**of: float) -> str:
    return (_NOW - timedelta(**of)).isoformat()


_BASE = BaseBackup(
    label="20261128-060000F",
    kind="full",
    begins=_ago(hours=6),
    ends=_ago(hours=6),
    bytes=1,
    added=1,
)
_WELL = ArchiveStatus(
    time=_ago(seconds=3),
    archive="ipai-1",
    begins=_ago(days=14),
    until=_ago(seconds=33),
    files_until=_ago(seconds=15),
    pushed=_ago(hours=1),
    limit_bytes=8 << 30,
    base=_BASE,
)
_LONG_AGO = Gap(begins=_ago(days=4), ends=_ago(days=3))
_OPEN = Gap(begins=_ago(minutes=9))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"gaps": (_LONG_AGO,)}, ""),
        ({"begins": "", "base": None}, ""),  # the first base backup is on its way
        ({"time": _ago(minutes=5)}, "has been silent for 5 min"),
        ({"problem": "no such host"}, "no such host"),
        ({"waiting_bytes": 5 << 30, "problem": "no such host"}, r"5\.4 GB .* \(no such host\)"),
        ({"until": _ago(minutes=7)}, "the databases have not been archived for 7 min"),
        ({"files_until": _ago(minutes=7)}, "the attachments have not been archived for 7 min"),
        ({"files_until": ""}, "the attachments have not been archived for the beginning"),
        ({"gaps": (_LONG_AGO, _OPEN)}, "no moment from now on"),
        ({"base": replace(_BASE, ends=_ago(days=3))}, "base backup is 3 days old"),
    ],
)
def test_what_is_behind_is_a_warning(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    settings = replace(settings_in(tmp_path), archive=ArchiveSettings(True, 14, 8))
    found = archive_health.finding(settings, replace(_WELL, **changes), _NOW)  # type: ignore[arg-type]
    assert found.status is (Status.WARNING if said else Status.OK)
    if said:
        pytest.importorskip("re").search(said, found.detail) or pytest.fail(found.detail)
        assert found.hint


def test_where_nothing_is_to_be_archived_there_is_no_row(tmp_path: Path) -> None:
    with pytest.raises(InapplicableError):
        archive_health.finding(settings_in(tmp_path), None)
    settings = replace(settings_in(tmp_path), archive=ArchiveSettings(True, 14, 8))
    assert archive_health.finding(settings, None).status is Status.WARNING


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (_ago(days=15), "before the first moment"),
        (_ago(days=3.5), "there is no WAL from"),
        (_ago(minutes=1), "to the next base backup"),
        (_ago(days=5), ""),
        (_ago(days=2), ""),
    ],
)
def test_a_moment_that_cannot_be_restored_is_refused_before_anything_is_done(
    moment: str, said: str
) -> None:
    found = replace(_WELL, gaps=(_LONG_AGO, _OPEN))
    wanted = Moment(moment, time=datetime.fromisoformat(moment))
    if not said:
        archive.require(found, wanted)
        return
    with pytest.raises((OpsError, UsageError), match=said):
        archive.require(found, wanted)


def test_what_is_not_known_is_left_to_the_restore() -> None:
    archive.require(None, Moment(_ago(days=15)))
    archive.require(_WELL, Moment("1", TRANSACTION))
    with pytest.raises(OpsError, match="no moment can be restored yet"):
        archive.require(replace(_WELL, begins=""), Moment(_ago(days=1)))


def test_windows_are_what_is_between_gaps() -> None:
    assert archive.windows(_WELL) == [(_WELL.begins, _WELL.until)]
    found = replace(_WELL, gaps=(_LONG_AGO, _OPEN))
    assert archive.windows(found) == [
        (_WELL.begins, _LONG_AGO.begins),
        (_LONG_AGO.ends, _OPEN.begins),
    ]
    assert archive.windows(replace(_WELL, begins="")) == []


@pytest.mark.parametrize(("share", "hours"), [(0.0, 24 * 14), (0.5, 180.5), (1.0, 1)])
def test_a_moment_is_chosen_of_what_can_be_restored(share: float, hours: float) -> None:
    found = replace(_WELL, gaps=(_LONG_AGO,), files_until=_ago(hours=1))
    chosen = archive.choose(found, share)
    assert chosen and chosen.time
    # 240 h before the gap and 71 h after it.
    assert abs((_NOW - chosen.time).total_seconds() / 3600 - hours) < 0.01
    archive.require(found, chosen)
    assert archive.choose(replace(found, begins=""), share) is None
    assert archive.choose(replace(found, files_until=""), share) is None


def test_it_is_told_with_its_gaps_and_what_is_wrong() -> None:
    found = replace(_WELL, gaps=(_OPEN,), problem="no such host", waiting=3)
    text = "\n".join(archive.lines(archive.read(to_json(found))))
    for word in (
        "any moment from",
        "no WAL from",
        "no such host",
        "3 segments",
        "20261128-060000F",
    ):
        assert word in text
    assert "Nothing is archived" in archive.lines(archive.read("{"))[0]
