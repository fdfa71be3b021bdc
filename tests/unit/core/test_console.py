"""What a terminal shows while long work is done, and what becomes of output that is lost."""

import io
import os
import time
from pathlib import Path

import pytest

from scripts.core import streams
from scripts.core.console import Console
from scripts.core.errors import OpsError


def _drawn(title: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines of a step that is redrawn, without the one it ends with."""
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((columns, 24)))
    monkeypatch.setattr("scripts.core.console._REDRAW_SECONDS", 0.01)
    err = io.StringIO()
    with Console(io.StringIO(), err, colour=False, live=True).step(title):
        time.sleep(0.1)
    return err.getvalue().split("\r\033[K")[1:-1]


def test_a_running_step_never_fills_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for columns in (80, 40, 20):
        lines = _drawn(
            "Installing " + ", ".join(f"module_{n}" for n in range(30)), columns, monkeypatch
        )
        assert len(lines) > 2
        assert all(len(line) < columns and "\n" not in line for line in lines), lines
        assert lines[0].startswith("… Inst") and lines[0].endswith("… (0 s)")


def test_wide_signs_count_twice_and_short_titles_stay_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert _drawn("Short", 80, monkeypatch)[0] == "… Short (0 s)"
    (line, *_) = _drawn("库" * 60, 40, monkeypatch)
    assert line.count("库") <= (40 - len(" (0 s)")) // 2


def test_progress_that_nobody_can_read_does_not_end_the_work() -> None:
    with Path("/dev/full").open("w") as full:
        console = Console(io.StringIO(), full, colour=False, live=False)
        with console.step("Restoring"):
            console.note("half-way")
        console.error("it failed", "do it again")


def test_a_result_that_cannot_be_written_is_an_error() -> None:
    with Path("/dev/full").open("w") as full:
        console = Console(full, io.StringIO(), colour=False, live=False)
        with pytest.raises(OpsError, match="No space left on device"):
            console.json({"a": 1})
        console.say("nothing more is told of it")


def test_a_reader_that_has_gone_is_an_end_without_words() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        console = Console(closed, io.StringIO(), colour=False, live=False)
        with pytest.raises(streams.OutputError) as caught:
            console.say("to nobody")
    assert (caught.value.message, caught.value.exit_code) == ("", 141)
    err = io.StringIO()
    Console(io.StringIO(), err, colour=False, live=False).error(caught.value.message)
    assert err.getvalue() == ""


def test_a_question_that_nobody_can_answer_is_shown_where_that_means_no(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    for unattended in (False, True):
        out, err = io.StringIO(), io.StringIO()
        console = Console(out, err, colour=False, live=False)
        assert console.confirm("Destroy it?", unattended=unattended) is unattended
        expected = "" if unattended else "Destroy it? (nobody is here to answer)\n"
        assert (out.getvalue(), err.getvalue()) == ("", expected)


def test_what_is_no_error_keeps_its_colour_where_errors_have_one() -> None:
    err = io.StringIO()
    console = Console(io.StringIO(), err, colour=False, live=False, colour_err=True)
    console.note("warning: the platform is another folder's")
    console.note("… Building: the first image")
    console.note("errors: none")
    assert err.getvalue() == (
        "\033[33mwarning:\033[0m the platform is another folder's\n"
        "… Building: the first image\nerrors: none\n"
    )
