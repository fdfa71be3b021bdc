"""`inv health --schedule`: what is installed, and for whom."""

from dataclasses import replace
from pathlib import Path

import pytest

from scripts.core import scheduler
from scripts.core.alarm_settings import AlarmSettings
from scripts.core.errors import OpsError, UsageError
from scripts.core.scheduled_job import ScheduledJob
from scripts.core.settings import Settings
from scripts.health import scheduled
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeRunner, settings_in

_HOOK = "https://x.test/t0ken"
_PING = "https://hc.test/t0ken"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[ScheduledJob]:
    """The jobs that were installed."""
    found: list[ScheduledJob] = []

    def install(job: ScheduledJob, runner: object) -> str:
        found.append(job)
        return "crontab of this user"

    monkeypatch.setattr(scheduler, "install", install)
    monkeypatch.setattr(scheduler, "remove", lambda name, runner: bool(found))
    return found


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    (tmp_path / ".env").write_text("NGINX_HTTP_PORT=81\n")
    return Stack(settings_in(tmp_path), FakeRunner())


def test_a_timer_looks_and_tells_by_the_settings(
    stack: Stack, installed: list[ScheduledJob], tmp_path: Path
) -> None:
    line = scheduled.plan(stack, 5, _HOOK, _PING, on=True)
    assert line == "Health: crontab of this user"
    (job,) = installed
    assert (job.name, job.every, job.silent) == ("ipai-platform-health", 5, True)
    metrics = ("--metrics", str(job.folder / ".state" / "metrics" / "health.prom"))
    assert job.argv[1:] == ("health", "--quiet", *metrics), "no address in a command line"
    settings = Settings.load(tmp_path)
    assert settings.alarms.health == (_HOOK,) and settings.alarms.ping == _PING


def test_the_jobs_of_two_installations_have_names_of_their_own(stack: Stack) -> None:
    other = replace(stack.settings, project="other")
    assert scheduled.job(other, 5).name == "other-health"


@pytest.mark.parametrize(
    ("alarms", "heard"),
    [
        (AlarmSettings(), False),
        (AlarmSettings(backup=(_HOOK,)), False),
        (AlarmSettings(health=(_HOOK,)), True),
        (AlarmSettings(ping=_PING), True),
    ],
)
def test_nothing_is_installed_where_nobody_would_hear_of_it(
    stack: Stack, installed: list[ScheduledJob], alarms: AlarmSettings, heard: bool
) -> None:
    stack = replace(stack, settings=replace(stack.settings, alarms=alarms))
    if heard:
        scheduled.plan(stack, 1, "", "", on=True)
    else:
        with pytest.raises(OpsError, match="nobody would hear"):
            scheduled.plan(stack, 1, "", "", on=True)
    assert bool(installed) is heard


@pytest.mark.parametrize(
    ("minutes", "notify", "ping", "on", "wrong"),
    [
        (7, _HOOK, "", True, "7 minutes do not fit"),
        (-5, _HOOK, "", True, "do not fit"),
        (5, "foo://x", "", True, "--notify"),
        (5, "", "foo", True, "--ping"),
        (5, "", "", False, "exclude each other"),
    ],
)
def test_what_is_wrong_changes_nothing(
    stack: Stack,
    installed: list[ScheduledJob],
    tmp_path: Path,
    minutes: int,
    notify: str,
    ping: str,
    on: bool,
    wrong: str,
) -> None:
    with pytest.raises(UsageError, match=wrong):
        scheduled.plan(stack, minutes, notify, ping, on=on)
    assert installed == [] and (tmp_path / ".env").read_text() == "NGINX_HTTP_PORT=81\n"


def test_it_can_be_removed(stack: Stack, installed: list[ScheduledJob]) -> None:
    assert scheduled.plan(stack, 0, "", "", on=False) == "Health: was not scheduled"
    scheduled.plan(stack, 5, _HOOK, "", on=True)
    assert scheduled.plan(stack, 0, "", "", on=False) == "Health: no longer scheduled"


def test_it_is_enough_that_prometheus_hears_of_it(
    stack: Stack, installed: list[ScheduledJob]
) -> None:
    (stack.settings.state_folder / "metrics").mkdir(parents=True)  # of `inv up --monitoring`
    scheduled.plan(stack, 5, "", "", on=True)
    assert len(installed) == 1
