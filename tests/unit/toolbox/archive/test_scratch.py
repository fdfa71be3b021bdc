"""A server of a moment, where the archive ends before it."""

import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from toolbox.archive import scratch
from toolbox.archive.scratch import Moment
from toolbox.contract.archive import TIME, TRANSACTION, ArchiveInfo, BaseBackup
from toolbox.core.errors import Failure

_STAMP = "2026-11-28T12:00:00+00:00"
_BASE = BaseBackup(label="b", kind="full", begins=_STAMP, ends=_STAMP, bytes=1, added=1)
_ARCHIVE = ArchiveInfo(name="a", postgresql="", bases=(_BASE,))


def _nothing(_: BaseBackup) -> None:
    """The archive is whole."""


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
    with scratch.recovered(_ARCHIVE, Moment(TIME, "2026-11-28T13:00:00+00:00"), _nothing) as server:
        assert (server.reached, server.last_commit) == (False, _STAMP)
    assert stopped == ["without target", "stopped"]


def test_a_transaction_that_is_not_there_is_no_other_moment(stopped: list[str]) -> None:
    with (
        pytest.raises(Failure, match="transaction 4711 was not found"),
        scratch.recovered(_ARCHIVE, Moment(TRANSACTION, "4711"), _nothing),
    ):
        pass
    assert stopped == ["stopped"]


def test_where_the_archive_is_not_at_its_end_nothing_is_restored(stopped: list[str]) -> None:
    def refuse(base: BaseBackup) -> None:
        assert base is _BASE
        raise Failure("segments are missing")

    with (
        pytest.raises(Failure, match="segments are missing"),
        scratch.recovered(_ARCHIVE, Moment(TIME, "2026-11-28T13:00:00+00:00"), refuse),
    ):
        pass
    assert stopped == ["stopped"]


def test_what_was_committed_after_the_moment_is_refused(
    monkeypatch: pytest.MonkeyPatch, stopped: list[str]
) -> None:
    monkeypatch.setattr(scratch, "_last_commit", lambda: "2026-11-28T13:00:01+00:00")
    with (
        pytest.raises(Failure, match="past the moment"),
        scratch.recovered(_ARCHIVE, Moment(TIME, "2026-11-28T13:00:00+00:00"), _nothing),
    ):
        pass
    assert stopped == ["without target", "stopped"]


@pytest.mark.parametrize(
    ("notes", "number", "chosen"),
    [
        ((700, 800, 900), 800, 1),
        ((700, 800, 900), 799, 0),
        ((700, 800, 900), 5000, 2),
        ((700, 800, 900), 12, 0),  # perhaps one that took long
        ((0, 0, 0), 800, 0),  # made before this was noted
        ((0, 800, 0), 900, 1),
    ],
)
def test_a_transaction_is_looked_for_from_the_last_base_backup_that_is_surely_before_it(
    monkeypatch: pytest.MonkeyPatch,
    stopped: list[str],
    notes: tuple[int, ...],
    number: int,
    chosen: int,
) -> None:
    bases = tuple(replace(_BASE, label=str(i), next_transaction=n) for i, n in enumerate(notes))
    used: list[BaseBackup] = []
    monkeypatch.setattr(scratch, "_restore", lambda name, base, moment: used.append(base))
    monkeypatch.setattr(scratch, "_comes_up", lambda server: True)
    archive = replace(_ARCHIVE, bases=bases)
    with scratch.recovered(archive, Moment(TRANSACTION, str(number)), _nothing) as server:
        assert server.reached
    assert used == [bases[chosen]]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [("A" * 24, b"good", 0), ("A" * 24, b"bad", 127), ("B" * 24, b"came later", 0)],
)
def test_a_segment_of_another_content_is_not_replayed(
    tmp_path: Path, name: str, content: bytes, code: int
) -> None:
    (tmp_path / "sums").write_text(f"{'A' * 24} {hashlib.sha1(b'good').hexdigest()}\n")
    (tmp_path / "file").write_bytes(content)
    command = scratch.verified(tmp_path / "sums").replace("%f", name).replace("%p", "file")
    argv = ["sh", "-c", f"true || {{ exit 1; }}; {command}"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert ("is damaged" in done.stderr) == bool(code)
