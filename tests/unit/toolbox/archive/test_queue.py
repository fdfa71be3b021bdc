"""WAL that PostgreSQL hands over: nothing in that folder is trusted."""

import os
import time
from pathlib import Path

import pytest

from toolbox.archive import queue

_NAME = "0000000100000000000000A1"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder."""
    monkeypatch.setattr(queue, "QUEUE", tmp_path)
    monkeypatch.setattr(queue, "GIVEN_UP", tmp_path / "given-up")
    monkeypatch.setattr(queue, "_STATUS", tmp_path / "status")
    (tmp_path / "status").mkdir()
    return tmp_path


def _ready(place: Path, *names: str) -> None:
    for name in names:
        (place / "status" / f"{name}.ready").touch()


def test_only_names_of_wal_are_taken_and_in_their_order(place: Path) -> None:
    _ready(place, _NAME, "0000000100000000000000A2", "00000002.history", f"{_NAME}.00000028.backup")
    for name in (
        "0000000100000000000000A2.want",
        f"{_NAME}.want",
        "00000002.history.want",
        f"{_NAME}.00000028.backup.want",
        "..%2fetc.want",
        "x.want",
        f"{_NAME}.done",
        f"{_NAME}",
    ):
        (place / name).touch()
    assert queue.wanted() == [
        _NAME,
        f"{_NAME}.00000028.backup",
        "0000000100000000000000A2",
        "00000002.history",
    ]


def test_a_question_that_a_former_server_has_left_is_not_answered(place: Path) -> None:
    _ready(place, _NAME)
    for name in (_NAME, "0000000100000000000000A2"):
        (place / f"{name}.want").touch()
    assert queue.wanted() == [_NAME]
    assert not (place / "0000000100000000000000A2.want").exists()


def test_an_answer_takes_the_place_of_the_question_and_follows_no_link(
    place: Path, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (place / f"{_NAME}.want").touch()
    (place / f"{_NAME}.done").symlink_to(victim)
    queue.done(_NAME)
    assert victim.read_text() == "mine" and not (place / f"{_NAME}.done").is_symlink()
    assert queue.wanted() == []
    queue.failed(_NAME, "no such host")
    assert (place / f"{_NAME}.failed").read_text() == "no such host\n"


def test_answers_that_nobody_waits_for_are_removed(place: Path) -> None:
    queue.done(_NAME)
    queue.clear_stale()
    assert (place / f"{_NAME}.done").exists()
    long_ago = time.time() - 3600
    os.utime(place / f"{_NAME}.done", (long_ago, long_ago))
    queue.clear_stale()
    assert not (place / f"{_NAME}.done").exists()


@pytest.mark.parametrize(
    ("text", "since"), [("1795850000\n", 1795850000.0), ("x", None), ("", None)]
)
def test_since_when_wal_was_given_up(place: Path, text: str, since: float | None) -> None:
    assert queue.given_up() is None
    (place / "given-up").write_text(text)
    assert queue.given_up() == since
    queue.begin_again()
    assert queue.given_up() is None
