"""What the console prints, and what it asks."""

import io
import json
import sys
import threading

import pytest

from scripts.core.checks import Result, Status
from scripts.core.console import Console
from scripts.core.errors import OpsError
from scripts.core.table import Table


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _plain(*, assume_yes: bool = False) -> Console:
    return Console(io.StringIO(), io.StringIO(), colour=False, live=False, assume_yes=assume_yes)


def _shown(stream: object) -> str:
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


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
    console.error("it broke", "repair it")
    console.error("again")
    assert _shown(console.err) == "error: it broke\nhint: repair it\nerror: again\n"
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
