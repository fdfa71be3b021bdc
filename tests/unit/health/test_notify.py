"""Whom a look is told to, and what is remembered of that."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.core import http, notification
from scripts.core.alarm_settings import AlarmSettings
from scripts.core.checks import InapplicableError, Result, Status
from scripts.core.errors import EXIT_WARNING, OpsError, UsageError
from scripts.core.files import file_lock
from scripts.core.notification import Message
from scripts.health import notify
from scripts.health import told as store
from scripts.health.notify import Audience
from scripts.health.report import Report
from scripts.stack import planned_stop
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeReporter, FakeRunner, says, settings_in

_HOOK = "https://x.test/t0ken"
_PING = "https://hc.test/t0ken?x=1"
_BAD = Report([Result("Redis", Status.FAILED, "is paused", "inv up", 0.1, "Services")])
_WELL = Report([Result("Redis", Status.OK, "", "", 0.1, "Services")])
_DEAF = Result(notify.LINE, Status.WARNING, "x.test was not told", "", 0.1, "Host")


class Outside:
    """Those who are told, in the place of the network."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Message]] = []
        self.pinged: list[tuple[str, object]] = []
        self.deaf = False

    def deliver(self, messages: dict[str, Message]) -> dict[str, str]:
        if self.deaf:
            return dict.fromkeys(messages, "x.test was not told: it answers with status 500")
        self.heard += messages.items()
        return {}

    def tell(self, url: str, body: object = None, timeout: float = 0) -> None:
        if self.deaf:
            raise OpsError("ConnectTimeout")
        self.pinged.append((url, body))


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Outside:
    made = Outside()
    monkeypatch.setattr(notification, "deliver", made.deliver)
    monkeypatch.setattr(http, "tell", made.tell)
    return made


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    alarms = AlarmSettings(health=(_HOOK,), ping=_PING)
    return Stack(settings_in(tmp_path, alarms=alarms), FakeRunner())


def _look(
    stack: Stack, report: Report, code: int = 0, *, quiet: bool = False
) -> tuple[int, Sequence[str]]:
    said = FakeReporter()
    audience = Audience.of(stack, "", "", "")
    return audience.hear(report, code, said, quiet=quiet), said.said


def _tell_in_vain(stack: Stack, outside: Outside) -> None:
    outside.deaf = True
    _look(stack, _BAD, 1)
    outside.deaf = False


def test_people_hear_of_a_failure_and_of_its_end(stack: Stack, outside: Outside) -> None:
    for report, code in ((_WELL, 0), (_BAD, 1), (_BAD, 1), (_WELL, 0), (_WELL, 0)):
        assert _look(stack, report, code) == (code, [])
    (_, alarm), (_, recovery) = outside.heard
    assert alarm.title.startswith("ipai-platform on ") and "Redis FAILED" in alarm.title
    assert alarm.text == "Redis: ✗ FAILED: is paused (inv up)"
    assert (alarm.kind, recovery.kind) == ("failure", "success")
    assert alarm.document["event"] == "alarm" and alarm.document["new"] == ["Redis"]
    assert alarm.document["checks"][0]["detail"] == "is paused"
    assert recovery.document["recovered"] == ["Redis"] and "Redis recovered" in recovery.title
    assert json.dumps(alarm.document)


def test_what_is_remembered_holds_no_token_and_is_nobody_else_s(
    stack: Stack, outside: Outside
) -> None:
    _look(stack, _BAD, 1)
    path = stack.settings.state_folder / "health-notify.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert "t0ken" not in path.read_text()


def test_nobody_hears_of_a_stop_on_purpose_and_all_do_of_the_next(
    stack: Stack, outside: Outside
) -> None:
    planned_stop.remember(stack)
    assert _look(stack, _BAD, 1) == (1, [])
    oneoff = '{"Service": "backup", "Name": "b", "Labels": "com.docker.compose.oneoff=True"}'
    assert _look(replace(stack, runner=FakeRunner({"docker ps": says(oneoff)})), _BAD, 1) == (1, [])
    planned_stop.forget(replace(stack, runner=FakeRunner(dry=True)))  # inv up --dry
    assert _look(stack, _BAD, 1) == (1, [])
    assert (outside.heard, outside.pinged) == ([], [])
    started = replace(
        stack, runner=FakeRunner({"docker ps": says('{"Service": "odoo_db", "Name": "db"}')})
    )
    _look(started, _BAD, 1)
    _look(stack, _BAD, 1)
    assert [message.document["event"] for _, message in outside.heard] == ["alarm"]
    assert len(outside.pinged) == 2, "what was started by hand and is gone is no stop on purpose"


def test_who_was_not_reached_is_told_later_and_shows_meanwhile(
    stack: Stack, outside: Outside
) -> None:
    outside.deaf = True
    code, said = _look(stack, _BAD, 1)
    assert code == 1 and len(said) == 2
    assert said[0] == "warning: x.test was not told: it answers with status 500"
    assert "t0ken" not in " ".join(said)
    assert _look(stack, _BAD, 1, quiet=True) == (1, []), "cron mails it once"
    found = notify.finding(stack.settings)
    assert found.status is Status.WARNING and "x.test was not told" in found.detail
    assert "hc.test/*** was not pinged: ConnectTimeout" in found.detail
    outside.deaf = False
    assert _look(stack, _BAD, 1) == (1, [])
    assert [message.document["event"] for _, message in outside.heard] == ["alarm"]
    assert notify.finding(stack.settings).status is Status.OK


def test_who_hears_again_need_not_hear_that_it_had_not_heard(
    stack: Stack, outside: Outside
) -> None:
    _tell_in_vain(stack, outside)
    for rows in ([*_BAD.rows, _DEAF], _BAD.rows, _BAD.rows):
        _look(stack, Report(rows), 1)
    assert [message.document["new"] for _, message in outside.heard] == [["Redis"]]
    _look(stack, Report([*_BAD.rows, _DEAF]), 1)  # another address
    assert outside.heard[-1][1].document["new"] == [notify.LINE]


def test_what_was_over_before_it_could_be_told_is_told_at_last(
    stack: Stack, outside: Outside
) -> None:
    _tell_in_vain(stack, outside)
    _look(stack, Report([*_WELL.rows, _DEAF]))
    ((_, message),) = outside.heard
    assert "x.test was not told" in message.text
    assert notify.finding(stack.settings).status is Status.OK


def test_a_look_that_is_well_and_reaches_nobody_has_an_exit_code_of_its_own(
    stack: Stack, outside: Outside
) -> None:
    outside.deaf = True
    assert _look(stack, _WELL)[0] == EXIT_WARNING


def test_an_address_that_is_not_needed_now_is_not_called_well(
    stack: Stack, outside: Outside
) -> None:
    outside.deaf = True
    _look(stack, _BAD, 1)
    outside.deaf = False
    _look(stack, _WELL)  # the alarm was never told, so its end is no news
    assert outside.heard == []
    assert "x.test" in notify.finding(stack.settings).detail


def test_of_two_looks_at_once_one_tells(stack: Stack, outside: Outside) -> None:
    with file_lock(stack.settings.state_folder / "health-notify.lock", "health"):
        assert _look(stack, _BAD, 1) == (1, [])
    assert outside.heard == []
    _look(stack, _BAD, 1)
    assert len(outside.heard) == 1


def test_each_address_has_a_memory_of_its_own(stack: Stack, outside: Outside) -> None:
    _look(stack, _BAD, 1)
    more = replace(stack.settings.alarms, health=(_HOOK, "https://y.test"))
    _look(replace(stack, settings=replace(stack.settings, alarms=more)), _BAD, 1)
    assert [address for address, _ in outside.heard] == [_HOOK, "https://y.test"]


def test_a_sign_of_life_is_given_and_a_failure_told(stack: Stack, outside: Outside) -> None:
    _look(stack, _WELL)
    _look(stack, _BAD, 1)
    assert outside.pinged == [
        (_PING, None),
        ("https://hc.test/t0ken/fail?x=1", "Redis: ✗ FAILED: is paused (inv up)"),
    ]
    Audience.of(stack, "", "", "redis").hear(_WELL, 0, FakeReporter(), quiet=False)
    assert len(outside.pinged) == 2, "some checks are no sign of life"
    Audience.of(stack, "", "https://z.test", "redis").hear(_WELL, 0, FakeReporter(), quiet=False)
    assert outside.pinged[2:] == [("https://z.test", None)]


def test_a_dry_run_tells_nobody(stack: Stack, outside: Outside) -> None:
    dry = replace(stack, runner=FakeRunner(dry=True))
    assert _look(dry, _BAD, 1) == (1, [])
    assert outside.heard == [] and outside.pinged == []


@pytest.mark.parametrize("ping", ["hc-ping.com/1", "ntfy://a.b/c", "https://"])
def test_what_cannot_be_pinged_is_refused(stack: Stack, ping: str) -> None:
    with pytest.raises(UsageError, match="--ping"):
        Audience.of(stack, "", ping, "")


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', '{"a": {"bad": {"x": "sad"}}}', "{"])
def test_a_damaged_memory_is_none(stack: Stack, outside: Outside, content: str) -> None:
    stack.settings.state_folder.mkdir()
    (stack.settings.state_folder / "health-notify.json").write_text(content)
    assert _look(stack, _BAD, 1) == (1, [])
    assert len(outside.heard) == 1


def test_on_a_full_disk_nothing_is_told_twice(
    stack: Stack, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    _look(stack, _WELL)

    def full(path: Path, data: bytes, mode: int) -> None:
        raise OpsError("cannot write: No space left on device")

    monkeypatch.setattr(store, "write_atomic", full)
    for _ in range(2):
        assert _look(stack, _BAD, 1) == (1, [])
    assert len(outside.heard) == 1
    (stack.settings.state_folder / "health-notify.json").unlink()
    code, said = _look(stack, _BAD, 1)
    assert code == 1 and "what was told is not remembered" in said[0]


def test_without_addresses_there_is_no_line(tmp_path: Path) -> None:
    with pytest.raises(InapplicableError):
        notify.finding(settings_in(tmp_path))
