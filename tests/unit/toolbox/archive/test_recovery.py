"""What a restore of a moment reads, and which archives are checked how."""

from pathlib import Path

import pytest

from toolbox.archive import gaps, passphrase, pgbackrest, places, recovery
from toolbox.archive.scratch import Moment
from toolbox.backup import restic
from toolbox.contract.archive import TIME, TRANSACTION, ArchiveInfo, BaseBackup
from toolbox.core import filestore
from toolbox.core.errors import Failure

_LINE = "0000000100000000000000"
_WHOLE = {"first": "26", "second": "27", "third": "28"}  # the day at noon


@pytest.mark.parametrize(
    ("moment", "recent", "chosen"),
    [
        (Moment(TIME, "2026-11-25T12:00:00+00:00"), "28T13", ["first", "third", "recent"]),
        (Moment(TIME, "2026-11-26T12:00:01+00:00"), "28T13", ["second", "third", "recent"]),
        (Moment(TIME, "2026-11-28T14:00:00+00:00"), "28T13", ["third", "recent"]),
        (Moment(TIME, "2026-11-28T11:00:00+00:00"), "28T11", ["third"]),  # all is in that
        (Moment(TRANSACTION, "4711"), "28T13", ["third", "recent"]),
    ],
)
def test_files_come_from_the_first_snapshot_after_the_moment_and_the_last_ones(
    monkeypatch: pytest.MonkeyPatch, moment: Moment, recent: str, chosen: list[str]
) -> None:
    def snapshots(tags: str) -> list[dict[str, str]]:
        if "kind=recent" in tags:
            return [{"id": "recent", "time": f"2026-11-{recent}:00:00.123456789Z"}]
        return [{"id": n, "time": f"2026-11-{day}T12:00:00.1Z"} for n, day in _WHOLE.items()]

    monkeypatch.setattr(restic, "snapshots", snapshots)
    found = recovery._sources("a", "odoo", moment)
    assert found == [f"{name}:{filestore.folder('odoo')}" for name in chosen]


def test_a_gap_of_another_server_is_told_and_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    base = BaseBackup(
        label="b", kind="full", begins="", ends="", bytes=1, added=1, segment=f"{_LINE}06"
    )
    archives = [ArchiveInfo(name=name, postgresql="16", bases=(base,)) for name in ("old", "own")]
    there = {"old": ("06", "08"), "own": ("06", "07")}
    monkeypatch.setattr(recovery, "open_archives", lambda: archives)
    monkeypatch.setattr(passphrase, "find", lambda: "x")
    monkeypatch.setattr(pgbackrest, "configure", lambda *_, **__: None)
    monkeypatch.setattr(pgbackrest, "segments", lambda name: [_LINE + s for s in there[name]])
    monkeypatch.setattr(places, "NAME", tmp_path / "name")
    monkeypatch.setattr(gaps, "GAPS", tmp_path / "gaps.json")
    (tmp_path / "name").write_text("own\n")
    assert recovery.check(thorough=False).archives == 2
    assert "note: 1 segments of WAL are missing in the archive old" in capsys.readouterr().err
    (tmp_path / "name").write_text("old\n")
    with pytest.raises(Failure, match=f"segments of WAL are missing in the archive: {_LINE}07"):
        recovery.check(thorough=False)
