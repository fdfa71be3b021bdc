"""How far long work is: what programs in containers tell, and what a terminal shows of it."""

import io
import os
import time
from pathlib import Path
from typing import Any

import pytest

from scripts.core.completed import Completed
from scripts.core.console import Console
from scripts.core.step import Step, duration
from scripts.stack import image_build, oneoff
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeReporter, FakeRunner, settings_in
from toolbox.backup import pg_restore
from toolbox.contract.messages import PROGRESS_WANTED
from toolbox.core.progress import Percentage


def _step(monkeypatch: pytest.MonkeyPatch, *, after: float) -> Step:
    """One that has begun `after` seconds ago."""
    now = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: now)
    step = Step("Making a backup")
    step.tell("saving the files", 0.0)
    monkeypatch.setattr("time.monotonic", lambda: now + after)
    return step


def test_a_step_tells_its_percentage_and_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    step = _step(monkeypatch, after=30)
    step.tell("saving the files", 60.0)
    assert step.texts == ["Making a backup: saving the files", "Making a backup"]
    assert step.ends == [" 60 %, about 20 s left (30 s)", " 60 % (30 s)"]


def test_what_is_left_is_of_what_is_done_now(monkeypatch: pytest.MonkeyPatch) -> None:
    step = _step(monkeypatch, after=600)
    step.tell("saving the database", 50.0)
    assert step.ends[0] == " 50 % (600 s)", "it has just begun"


@pytest.mark.parametrize(("after", "percent"), [(1.0, 50.0), (60.0, 0.0), (60.0, 1.0)])
def test_nothing_is_foretold_at_the_beginning(
    monkeypatch: pytest.MonkeyPatch, after: float, percent: float
) -> None:
    step = _step(monkeypatch, after=after)
    step.tell("saving the files", percent)
    assert "left" not in step.ends[0]


def test_without_a_percentage_only_the_time_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    step = _step(monkeypatch, after=12)
    step.tell("odoo, step 3 of 9", None)
    assert (step.texts[0], step.ends) == ("Making a backup: odoo, step 3 of 9", [" (12 s)"])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "5 s"), (22, "20 s"), (59, "60 s"), (61, "1 min"), (3500, "58 min"), (7800, "2 h 10 min")],
)
def test_a_time_is_as_exact_as_it_can_be(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def _shown(monkeypatch: pytest.MonkeyPatch, *, live: bool) -> str:
    monkeypatch.setattr("scripts.core.console._REDRAW_SECONDS", 0.01)
    err = io.StringIO()
    console = Console(io.StringIO(), err, colour=False, live=live)
    with console.step("Making a backup"):
        console.progress("saving the files", 43.2)
        time.sleep(0.1)
    console.progress("of no step", 50.0)
    return err.getvalue()


def test_a_percentage_goes_before_a_long_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((40, 24)))
    assert "\r\033[K… Making a backup 43 % (0 s)" in _shown(monkeypatch, live=True)


def test_progress_is_shown_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\r\033[K… Making a backup: saving the files 43 % (0 s)" in _shown(
        monkeypatch, live=True
    )
    assert _shown(monkeypatch, live=False) == "… Making a backup\n✓ Making a backup (0 s)\n"


_ERRORS = """percent: - saving the files
percent: 12.5 saving the files
note: kept
percent: 50.0 \033[31mevil
percent: 1234 saving
percent: 99.9 saving the database
error: no space left
"""


@pytest.mark.parametrize("live", [True, False])
def test_what_a_container_tells_reaches_somebody_who_watches(tmp_path: Path, live: bool) -> None:
    runner = FakeRunner({"docker compose": Completed((), 1, "", _ERRORS)})
    reporter = FakeReporter(live=live)
    stack = Stack(settings_in(tmp_path), runner)
    done = oneoff.run(stack, "backup", "create", timeout=60, reporter=reporter)
    wanted = f"{PROGRESS_WANTED}=1" in runner.calls[0]
    told = [("saving the files", None), ("saving the files", 12.5), ("saving the database", 99.9)]
    assert (reporter.told, wanted) == ((told, True) if live else ([], False))
    assert done.stderr == ("note: kept\nerror: no space left\n" if live else _ERRORS)


def test_a_percentage_is_written_once_a_second_and_only_where_it_is_wanted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Percentage("saving the files").tell(0.5)
    assert capsys.readouterr().err == ""
    monkeypatch.setenv(PROGRESS_WANTED, "1")
    told = Percentage("saving the files")
    for done in (0.1, 0.2, 0.3):
        told.tell(done)
    assert capsys.readouterr().err == "percent: 10.0 saving the files\n"


def test_the_part_that_is_behind_counts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(PROGRESS_WANTED, "1")
    monkeypatch.setattr(Percentage, "_SECONDS", 0.0)
    told = Percentage("restoring")
    for done, part in ((0.9, "database"), (0.3, "files"), (7.0, "files"), (1.0, "database")):
        told.tell(done, part)
    percents = [line.split()[1] for line in capsys.readouterr().err.splitlines()]
    assert percents == ["90.0", "30.0", "90.0", "99.9"]


def test_what_is_watched_is_told_while_the_block_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(PROGRESS_WANTED, "1")
    monkeypatch.setattr(Percentage, "_SECONDS", 0.01)
    with Percentage("restoring").watching(lambda: 0.25):
        time.sleep(0.2)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 2 and set(lines) == {"percent: 25.0 restoring"}


def test_entries_that_pg_restore_has_done_are_no_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[float] = []
    told: Any = Percentage("restoring")
    monkeypatch.setattr(told, "tell", lambda share, _: done.append(share))
    lines = [
        "pg_restore: processing item 215 TABLE res_users\n",
        "pg_restore: launching item 4001 TABLE DATA res_users\n",
        "pg_restore: finished item 4001 TABLE DATA res_users\n",
        "pg_restore: error: could not execute query\n",
        "Command was: CREATE INDEX\n",
    ]
    errors = pg_restore._errors(lines, 4, told)
    assert "finished" not in errors and errors.endswith("Command was: CREATE INDEX\n")
    assert pg_restore._reason(errors) == "could not execute query (CREATE INDEX)"
    assert done == pytest.approx([0.4375, 0.625])


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("Step 3/17 : RUN apt-get update", [("odoo, step 3 of 17", None)]),
        ("#7 [3/5] RUN apt-get update", [("odoo, step 3 of 5", None)]),
        ("#7 [stage-0  3/5] RUN apt-get update", [("odoo, step 3 of 5", None)]),
        ("#7 0.412 Get:3/5 https://deb.debian.org", []),
        (" ---> Running in 1/2", []),
    ],
)
def test_a_build_tells_its_step(line: str, told: list[Any]) -> None:
    reporter = FakeReporter(live=True)
    tell = image_build.steps(reporter, "odoo")
    assert tell
    tell(line)
    assert reporter.told == told
    assert image_build.steps(FakeReporter(), "odoo") is None
