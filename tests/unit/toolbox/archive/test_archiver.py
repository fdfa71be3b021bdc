"""What the archiver remembers from one start to the next."""

import time
from pathlib import Path

import pytest

from toolbox.archive import archiver, gaps
from toolbox.contract.archive import ArchiveStatus
from toolbox.contract.codec import to_json


class _StoppedError(Exception):
    pass


def test_the_time_in_which_it_is_switched_off_is_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiver, "STATUS", tmp_path / "status.json")
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
