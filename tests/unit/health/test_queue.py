"""What is made of the queue of the local Supabase."""

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.core.checks import CannotTellError, Finding, InapplicableError, Status
from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.health import queue
from scripts.health.answers import Answers
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeRunner, says, settings_in

_WELL: dict[str, Any] = {"waiting": 2, "seconds": 5, "overdue": -9, "dead": 0, "error": None}


def _look(
    folder: Path, answer: Completed | OpsError | None = None, state: str = "running", **said: Any
) -> Finding:
    row = {"Service": "supabase_db", "Name": "db", "State": state, "Publishers": []}
    runner = FakeRunner(
        {
            "docker ps": says(json.dumps(row) if state else ""),
            "docker exec db": answer or says(json.dumps({**_WELL, **said})),
        }
    )
    return queue.jobs(Answers.of(Stack(settings_in(folder), runner), 4))


def test_a_queue_that_moves_is_well(tmp_path: Path) -> None:
    assert _look(tmp_path) == Finding(Status.OK, "2 wait")


@pytest.mark.parametrize(
    ("said", "detail"),
    [
        ({"seconds": 3 * 3600}, "2 jobs wait to be run, the oldest for 3 h"),
        ({"overdue": 3600}, "one should have ended 60 min ago"),
        (
            {"dead": 3, "error": "status 500\nof x"},
            "3 jobs were given up since yesterday; the last: status 500 of x",
        ),
    ],
)
def test_what_is_late_or_lost_is_a_warning(
    tmp_path: Path, said: dict[str, Any], detail: str
) -> None:
    found = _look(tmp_path, **said)
    assert (found.status, found.detail) == (Status.WARNING, detail)


def test_without_the_profile_or_its_schema_there_is_no_line(tmp_path: Path) -> None:
    with pytest.raises(InapplicableError):
        _look(tmp_path, state="")
    with pytest.raises(InapplicableError):
        _look(tmp_path, says(code=1, stderr='relation "mcp_jobs.jobs" does not exist'))


def test_a_database_that_is_down_or_does_not_answer_is_told(tmp_path: Path) -> None:
    found = _look(tmp_path, state="exited")
    assert (found.status, found.detail) == (Status.WARNING, "supabase_db is not running")
    with pytest.raises(OpsError, match="the database system is starting up"):
        _look(tmp_path, says(code=2, stderr="FATAL: the database system is starting up"))
    with pytest.raises(CannotTellError):
        _look(tmp_path, OpsError("no answer within 4 s"))
