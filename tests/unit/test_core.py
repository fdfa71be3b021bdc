"""Checks, redaction and the console."""

import io
import json
import sys
import threading
from pathlib import Path

import pytest

from scripts.core.checks import Check, Finding, Result, Status, require, run_all
from scripts.core.console import Console
from scripts.core.errors import OpsError
from scripts.core.redact import redactor
from scripts.core.table import Table


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _plain(*, assume_yes: bool = False) -> Console:
    return Console(io.StringIO(), io.StringIO(), colour=False, live=False, assume_yes=assume_yes)


def _shown(stream: object) -> str:
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


def test_rows_keep_the_order_of_the_checks_however_long_each_takes() -> None:
    last_is_done = threading.Event()

    def slow() -> Finding:
        assert last_is_done.wait(10), "the checks do not run side by side"
        return Finding(Status.OK)

    def quick() -> Finding:
        last_is_done.set()
        return Finding(Status.WARNING)

    rows = run_all([Check("first", slow), Check("last", quick)])
    assert [(row.name, row.status) for row in rows] == [
        ("first", Status.OK),
        ("last", Status.WARNING),
    ]


def test_a_crashing_probe_is_a_failed_row_and_hides_no_other() -> None:
    def crash() -> Finding:
        raise ZeroDivisionError("by accident")

    def fail() -> Finding:
        raise OpsError("no answer", "look there")

    rows = run_all([Check("a", crash), Check("b", fail), Check("c", lambda: Finding(Status.OK))])
    assert [row.status for row in rows] == [Status.FAILED, Status.FAILED, Status.OK]
    assert rows[0].detail == "ZeroDivisionError: by accident"
    assert (rows[1].detail, rows[1].hint) == ("no answer", "look there")


def test_no_checks_give_no_rows() -> None:
    assert run_all([]) == []


def test_require_lists_every_failure_and_each_hint_once() -> None:
    rows = [
        Result("A", Status.FAILED, "broken", "mend it", 0.0),
        Result("B", Status.OK, "fine", "never shown", 0.0),
        Result("C", Status.FAILED, "gone", "mend it", 0.0),
        Result("D", Status.WARNING, "shaky", "never shown", 0.0),
    ]
    with pytest.raises(OpsError) as caught:
        require(rows, "it was not started")
    assert caught.value.message == "it was not started:\n  A: broken\n  C: gone"
    assert caught.value.hint == "mend it"


def test_a_warning_does_not_stop_anything() -> None:
    require([Result("D", Status.WARNING, "shaky", "", 0.0)], "it was not started")


def test_every_line_of_a_secret_file_is_masked(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("first-line-of-it\nsecond-line-of-it\n")
    redact = redactor(tmp_path)
    assert redact("x first-line-of-it y second-line-of-it z") == "x *** y *** z"


def test_short_values_do_not_eat_ordinary_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("odoo\n\n")
    assert redactor(tmp_path)("odoo is up") == "odoo is up"


def test_a_secret_file_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    (tmp_path / "b.txt").write_bytes(b"\xff\xff")
    (tmp_path / "c.txt").write_text("a-real-secret")
    redact = redactor(tmp_path)
    assert redact("a-real-secret") == "***"


def test_a_secret_that_contains_another_is_masked_whole(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("shared-beginning")
    (tmp_path / "b.txt").write_text("shared-beginning-and-more")
    redact = redactor(tmp_path)
    assert "and-more" not in redact("it is shared-beginning-and-more")


def test_into_a_pipe_goes_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert Console.standard().paint("text", "green") == "text"


def test_a_terminal_gets_colour_unless_no_color_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", _Terminal())
    monkeypatch.setenv("TERM", "xterm")
    assert Console.standard().paint("text", "green") == "\033[32mtext\033[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Console.standard().paint("text", "green") == "text"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert Console.standard().paint("text", "green") == "text"


def test_a_failing_step_is_marked_as_failed() -> None:
    console = _plain()
    with pytest.raises(OpsError), console.step("Pulling"):
        raise OpsError("no")
    assert _shown(console.err) == "… Pulling\n✗ Pulling (0 s)\n"


def test_a_finished_step_is_marked_as_done_and_leaves_results_alone() -> None:
    console = _plain()
    with console.step("Pulling"):
        pass
    assert _shown(console.err) == "… Pulling\n✓ Pulling (0 s)\n"
    assert _shown(console.out) == ""


def test_a_step_on_a_terminal_ends_with_one_clean_line() -> None:
    console = Console(io.StringIO(), _Terminal(), colour=False, live=True)
    with console.step("Pulling"):
        pass
    assert _shown(console.err).split("\r\033[K")[-1] == "✓ Pulling (0 s)\n"
    assert threading.active_count() == 1


def test_json_goes_to_standard_output_and_can_be_parsed() -> None:
    console = _plain()
    table = Table(["file", "state"], [["a", "kept"], ["b", Status.OK]])
    console.show(table.records, table.lines, as_json=True)
    assert json.loads(_shown(console.out)) == [
        {"file": "a", "state": "kept"},
        {"file": "b", "state": "ok"},
    ]


def test_a_table_lines_up_its_columns() -> None:
    table = Table(["name", "state"], [["a", "up"], ["longer-name", "down"]])
    assert table.lines == ["name         state", "a            up", "longer-name  down"]


def test_an_empty_table_still_has_its_header() -> None:
    assert Table(["name"], []).lines == ["name"]


def test_a_record_for_machines_is_an_object_and_lines_are_for_people() -> None:
    found = [Result("Odoo", Status.FAILED, "no answer", "inv logs odoo", 1.5)]
    for_machines, for_people = _plain(), _plain()
    for_machines.show(found, ["Odoo does not answer"], as_json=True)
    (record,) = json.loads(_shown(for_machines.out))
    assert (record["name"], record["status"], record["seconds"]) == ("Odoo", "failed", 1.5)
    for_people.show(found, ["Odoo does not answer", "See: inv logs"], as_json=False)
    assert _shown(for_people.out) == "Odoo does not answer\nSee: inv logs\n"


def test_a_quiet_result_is_for_machines_and_terminals_only() -> None:
    cron, machine = _plain(), _plain()
    terminal = Console(_Terminal(), io.StringIO(), colour=False, live=False)
    cron.show(1, ["made"], as_json=False, quiet=True)
    machine.show(1, ["made"], as_json=True, quiet=True)
    terminal.show(1, ["made"], as_json=False, quiet=True)
    assert [_shown(console.out) for console in (cron, machine, terminal)] == ["", "1\n", "made\n"]


def test_errors_and_hints_go_to_standard_error() -> None:
    console = _plain()
    console.error("it broke", "mend it")
    console.error("again")
    assert _shown(console.err) == "error: it broke\nhint: mend it\nerror: again\n"
    assert _shown(console.out) == ""


@pytest.mark.parametrize("unattended", [True, False])
def test_without_a_terminal_the_unattended_answer_holds(
    monkeypatch: pytest.MonkeyPatch, unattended: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert _plain().confirm("Destroy?", unattended=unattended) is unattended


def test_yes_answers_every_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    assert _plain(assume_yes=True).confirm("Destroy?", unattended=False)


@pytest.mark.parametrize(
    ("typed", "answer"),
    [("y\n", True), ("YES\n", True), ("\n", False), ("n\n", False), ("", False)],
)
def test_a_person_is_asked_and_silence_is_no(
    monkeypatch: pytest.MonkeyPatch, typed: str, answer: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", _Terminal(typed))
    console = _plain()
    assert console.confirm("Destroy?", unattended=True) is answer
    assert _shown(console.err) == "Destroy? [y/N] "
