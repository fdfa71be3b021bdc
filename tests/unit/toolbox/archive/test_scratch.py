"""A server of a moment, where the archive ends before it."""

import subprocess
from collections.abc import Iterator

import pytest

from toolbox.archive import scratch
from toolbox.archive.scratch import Moment
from toolbox.contract.archive import TIME, TRANSACTION, ArchiveInfo, BaseBackup
from toolbox.core.errors import Failure

_STAMP = "2026-11-28T12:00:00+00:00"
_BASE = BaseBackup(label="b", kind="full", begins=_STAMP, ends=_STAMP, bytes=1, added=1)
_ARCHIVE = ArchiveInfo(name="a", postgresql="", bases=(_BASE,))


@pytest.fixture(autouse=True)
def stopped(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A server that finds the end of the archive before its target, and is up without one."""
    said: list[str] = []
    answers = iter((False, True))
    monkeypatch.setattr(scratch, "_require_version", lambda archive: None)
    monkeypatch.setattr(scratch, "_restore", lambda *words: None)
    monkeypatch.setattr(scratch, "_start", lambda: subprocess.Popen(["true"]))
    monkeypatch.setattr(scratch, "_comes_up", lambda server: next(answers))
    monkeypatch.setattr(scratch, "_without_target", lambda: said.append("without target"))
    monkeypatch.setattr(scratch, "_last_commit", lambda: _STAMP)
    monkeypatch.setattr(scratch, "_stop", lambda server: said.append("stopped"))
    monkeypatch.setattr(scratch, "discard", lambda: None)
    yield said


def test_a_time_after_the_last_transaction_is_the_end_of_the_archive(stopped: list[str]) -> None:
    with scratch.recovered(_ARCHIVE, Moment(TIME, "2026-11-28T13:00:00+00:00")) as server:
        assert (server.reached, server.last_commit) == (False, _STAMP)
    assert stopped == ["without target", "stopped"]


def test_a_transaction_that_is_not_there_is_no_other_moment(stopped: list[str]) -> None:
    with (
        pytest.raises(Failure, match="transaction 4711 was not found"),
        scratch.recovered(_ARCHIVE, Moment(TRANSACTION, "4711")),
    ):
        pass
    assert stopped == ["stopped"]
