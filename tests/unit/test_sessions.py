import json
from pathlib import Path

import pytest

from scripts import sessions
from scripts.core.errors import OpsError
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeReporter, FakeRunner, says, settings_in

_HELPER = "docker exec --user odoo odoo python3 " + sessions.HELPER
_FOUND = {
    "users": [
        {"login": "", "sessions": 3, "hour": 3, "day": 0, "older": 0, "idle": 5},
        {"login": "ann", "sessions": 9, "hour": 1, "day": 2, "older": 6, "idle": 7300},
        {"login": "bob", "sessions": 1, "hour": 0, "day": 0, "older": 1, "idle": 200000},
    ],
    "memory": 3 * 1024**2,
    "maxmemory": 256 * 1024**2,
}


def _stack(tmp_path: Path, runner: FakeRunner) -> Stack:
    return Stack(settings_in(tmp_path), runner)


def test_the_overview_lists_those_with_most_sessions_first(tmp_path: Path) -> None:
    runner = FakeRunner({f"{_HELPER} list": says(json.dumps(_FOUND))})
    found = sessions.overview(_stack(tmp_path, runner))
    assert sessions.table(found).rows == [
        ("ann", "9", "1", "2", "6", "2 h ago"),
        ("(not logged in)", "3", "3", "0", "0", "now"),
        ("bob", "1", "0", "0", "1", "2 d ago"),
    ]
    assert sessions.summary(found) == "13 sessions; Redis uses 3.0 of 256 MiB"


def test_looking_changes_nothing(tmp_path: Path) -> None:
    runner = FakeRunner({_HELPER: says(json.dumps(_FOUND))})
    sessions.overview(_stack(tmp_path, runner))
    assert runner.changing == []


def test_nobody_is_logged_out_unless_somebody_agrees(tmp_path: Path) -> None:
    runner = FakeRunner({f"{_HELPER} count": says('{"known": true, "sessions": 3}')})
    reporter = FakeReporter(answer=False)
    with pytest.raises(OpsError, match="nobody was logged out"):
        sessions.revoke(_stack(tmp_path, runner), reporter, "ann")
    assert runner.changing == [] and not runner.ran(f"{_HELPER} revoke")
    assert "'ann' out of 3 sessions" in reporter.asked[0]


@pytest.mark.parametrize("known", [True, False])
def test_nobody_is_asked_about_sessions_that_are_not_there(tmp_path: Path, known: bool) -> None:
    found = json.dumps({"known": known, "sessions": 0})
    runner, reporter = FakeRunner({f"{_HELPER} count": says(found)}), FakeReporter()
    if known:
        assert sessions.revoke(_stack(tmp_path, runner), reporter, "ann") == 0
    else:
        with pytest.raises(OpsError, match="there is no user 'ann'"):
            sessions.revoke(_stack(tmp_path, runner), reporter, "ann")
    assert not reporter.asked and not runner.ran(f"{_HELPER} revoke")


def test_a_login_is_revoked_by_its_exact_name(tmp_path: Path) -> None:
    counted = says('{"known": true, "sessions": 2}')
    runner = FakeRunner({_HELPER: says('{"revoked": 2}'), f"{_HELPER} count": counted})
    assert sessions.revoke(_stack(tmp_path, runner), FakeReporter(), "ann; rm") == 2
    assert runner.changing[0][-2:] == ["revoke", "ann; rm"]


def test_moving_files_says_how_many(tmp_path: Path) -> None:
    runner = FakeRunner({f"{_HELPER} import": says('{"moved": 7}')})
    assert sessions.bring_files(_stack(tmp_path, runner)) == 7


def test_a_rehearsal_ends_no_session(tmp_path: Path) -> None:
    counted = says('{"known": true, "sessions": 2}')
    runner = FakeRunner({_HELPER: says(""), f"{_HELPER} count": counted}, dry=True)
    assert sessions.revoke(_stack(tmp_path, runner), FakeReporter(), "ann") == 0


def test_a_helper_that_fails_is_an_error_for_people(tmp_path: Path) -> None:
    runner = FakeRunner({_HELPER: says(code=1, stderr="session_redis: cannot connect\n")})
    with pytest.raises(OpsError, match="session_redis: cannot connect"):
        sessions.overview(_stack(tmp_path, runner))
