"""`inv maintenance`: what is written for Nginx, and when it counts as on."""

import html
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scripts import maintenance
from scripts.core.completed import Completed
from scripts.core.errors import OpsError, UsageError
from scripts.core.http import Reply
from scripts.stack import ingress, login_page, maintenance_window
from scripts.stack.compose import Stack
from scripts.stack.maintenance_window import Window
from tests.unit.support.fakes import FakeReporter, FakeRunner, says, settings_in

_NOW = datetime.now(UTC).replace(microsecond=0)
_HOUR = timedelta(hours=1)
_HOSTILE = """<script>alert('x')</script> "; } location / { return 200; } $host \\ ünï 👋 &amp; #"""


def _stack(root: Path, **answers: Completed | OpsError) -> Stack:
    return Stack(settings_in(root), FakeRunner(answers))


def _running(root: Path, *more: tuple[str, Completed]) -> Stack:
    nginx = says('{"Service": "nginx", "Name": "nginx", "State": "running"}')
    return Stack(settings_in(root), FakeRunner({"docker ps": nginx, **dict(more)}))


@pytest.fixture
def obedient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A running Nginx that goes by what is written at once."""
    stack = _running(tmp_path)

    def health(*_: object, **__: object) -> Reply:
        window = maintenance_window.active(stack.settings)
        return Reply(200, f"ok\n{window.report}\n" if window else "ok\n")

    monkeypatch.setattr(ingress, "get", health)
    monkeypatch.setattr(maintenance, "_PAUSE", 0)
    return stack


@pytest.mark.parametrize("until", [None, _NOW + _HOUR])
def test_a_window_is_read_as_it_was_written(tmp_path: Path, until: datetime | None) -> None:
    settings = settings_in(tmp_path)
    window = Window(_NOW, until, _HOSTILE)
    assert maintenance_window.active(settings) is None
    maintenance_window.write(settings, window)
    assert maintenance_window.active(settings) == window


def test_a_window_is_over_at_its_end_though_its_file_stays(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    maintenance_window.write(settings, Window(_NOW - _HOUR, _NOW - timedelta(seconds=1), "x"))
    assert maintenance_window.active(settings) is None
    assert maintenance_window.file(settings).is_file()


def test_a_message_is_nothing_but_text_to_nginx_and_to_browsers(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    maintenance_window.write(settings, Window(_NOW, None, _HOSTILE))
    lines = maintenance_window.file(settings).read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("message ")]
    value = line.removeprefix('message "').removesuffix('";')
    assert not set(value) & set("<>\"'$\\{}\n")
    assert html.unescape(value) == _HOSTILE


def test_the_longest_message_is_no_longer_than_nginx_takes() -> None:
    told = maintenance.message("👋" * 300)
    assert len(maintenance_window.escaped(told)) < 4096
    with pytest.raises(UsageError, match="up to 300 characters, these are 301"):
        maintenance.message("x" * 301)


@pytest.mark.parametrize("text", ["two\nlines", "a\x1b[31m", "a\u202etxt.exe", "\udcff"])
def test_what_is_not_one_line_of_text_is_no_message(text: str) -> None:
    with pytest.raises(UsageError, match="plain text"):
        maintenance.message(text)


def test_persian_is_text() -> None:
    assert maintenance.message(" می\u200cرویم ") == "می\u200cرویم"


@pytest.mark.parametrize(
    ("text", "length"),
    [("", None), ("30m", timedelta(minutes=30)), ("2h", 2 * _HOUR), ("1d", timedelta(days=1))],
)
def test_a_duration_has_a_unit(text: str, length: timedelta | None) -> None:
    assert maintenance.duration(text) == length


@pytest.mark.parametrize("text", ["0m", "31d", "2", "h", "-1h", "1.5h", "2h30m", "99999d", "٣h"])
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="minutes, hours or days") as caught:
        maintenance.duration(text)
    assert "30m, 2h or 1d" in caught.value.hint


def test_options_of_on_are_refused_elsewhere() -> None:
    for state in ("off", "status"):
        with pytest.raises(UsageError, match="go with: inv maintenance on"):
            maintenance.requested(state, "text", "")
    with pytest.raises(UsageError, match="takes on, off or status, not 'an'"):
        maintenance.requested("an", "", "")


def test_on_and_off_are_taken_by_nginx(obedient: Stack) -> None:
    reporter = FakeReporter()
    state = maintenance.begin(obedient, reporter, "", 2 * _HOUR)
    assert state.window and not state.differs
    assert state.window.until == state.window.since + 2 * _HOUR
    assert state.lines[1] == "Visitors are told: We are working on this site."
    assert maintenance.look(obedient) == state
    assert maintenance.end(obedient, reporter).window is None
    assert maintenance.look(obedient).lines == ["Maintenance is off"]
    assert isinstance(obedient.runner, FakeRunner)
    reload = ["docker", "exec", "--interactive", "nginx", "nginx", "-s", "reload"]
    assert obedient.runner.calls.count(reload) == 2


def test_on_again_keeps_the_beginning_and_the_message(obedient: Stack) -> None:
    begun = Window(_NOW - _HOUR, None, "First")
    maintenance_window.write(obedient.settings, begun)
    again = maintenance.begin(obedient, FakeReporter(), "", _HOUR).window
    assert again and (again.since, again.message) == (begun.since, "First")
    assert again.until


def test_what_nginx_refuses_changes_nothing(tmp_path: Path) -> None:
    refusal = says(code=1, stderr="unknown directive in default.conf:1")
    stack = _running(tmp_path, ("docker exec nginx nginx -t", refusal))
    with pytest.raises(OpsError, match="unknown directive"):
        maintenance.begin(stack, FakeReporter(), "", None)
    assert not maintenance_window.file(stack.settings).exists()
    before = Window(_NOW, None, "x")
    maintenance_window.write(stack.settings, before)
    with pytest.raises(OpsError, match="unknown directive"):
        maintenance.end(stack, FakeReporter())
    assert maintenance_window.active(stack.settings) == before


def test_without_an_engine_nothing_changes(tmp_path: Path) -> None:
    silent = says(code=1, stderr="Cannot connect to the Docker daemon at unix:///none.sock.")
    stack = Stack(settings_in(tmp_path), FakeRunner({"docker ps": silent}))
    with pytest.raises(OpsError, match="engine is not running"):
        maintenance.begin(stack, FakeReporter(), "", None)
    assert maintenance_window.active(stack.settings) is None


def test_an_nginx_that_goes_on_as_before_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingress, "get", lambda *_, **__: Reply(200, "ok\n"))
    monkeypatch.setattr(maintenance, "_TAKEN_SECONDS", 0)
    stack = _running(tmp_path)
    with pytest.raises(OpsError, match="goes on with visitors let in"):
        maintenance.begin(stack, FakeReporter(), "", None)
    assert maintenance_window.active(stack.settings) is None


def test_without_nginx_it_counts_from_its_start(tmp_path: Path) -> None:
    stack, reporter = _stack(tmp_path), FakeReporter()
    state = maintenance.begin(stack, reporter, "", None)
    assert reporter.said == ["Nginx does not run: this counts from its next start"]
    assert state.lines[-1] == "Nginx does not answer at present"
    assert state.json["on"] and not state.json["nginx_answers"] and state.json["nginx_agrees"]


def test_a_rehearsal_changes_nothing(tmp_path: Path) -> None:
    stack, reporter = _running(tmp_path), FakeReporter()
    assert isinstance(stack.runner, FakeRunner)
    stack.runner.dry = True
    maintenance.begin(stack, reporter, "", None)
    assert "would be written" in reporter.said[0]
    assert not maintenance_window.file(stack.settings).exists()
    assert not stack.runner.ran("docker exec nginx nginx -s")


def test_a_file_that_was_taken_away_by_hand_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingress, "get", lambda *_, **__: Reply(200, "ok\nmaintenance since a\n"))
    state = maintenance.look(_running(tmp_path))
    assert state.differs
    assert "But Nginx goes by: maintenance since a" in state.lines


@pytest.mark.parametrize("text", ["", 'since "1";', 'since "x";\nuntil "y";\nmessage "z";'])
def test_a_file_that_makes_no_sense_is_named_and_can_be_replaced(
    tmp_path: Path, obedient: Stack, text: str
) -> None:
    place = maintenance_window.file(obedient.settings)
    place.parent.mkdir(parents=True)
    place.write_text(text)
    with pytest.raises(OpsError, match=r"current\.conf cannot be understood"):
        maintenance_window.active(obedient.settings)
    assert maintenance.begin(obedient, FakeReporter(), "", None).window


@pytest.mark.parametrize("odoo", [True, False])
def test_a_start_in_maintenance_asks_odoo_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odoo: bool
) -> None:
    monkeypatch.setattr(ingress, "get", lambda *_, **__: Reply(503, ""))
    asked = says(code=0 if odoo else 7, stderr="" if odoo else "refused")
    stack = _running(tmp_path, ("docker exec odoo curl", asked))
    assert "status 503" in login_page.problem(stack)
    maintenance_window.write(stack.settings, Window(_NOW, None, "x"))
    assert login_page.problem(stack) == ("" if odoo else "Odoo does not work (refused)")
