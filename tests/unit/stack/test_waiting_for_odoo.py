"""How long a start waits for the login page, and what ends it before."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.core.http import Reply
from scripts.stack import ingress, lifecycle, start_watch
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeReporter, FakeRunner, says, settings_in

_BEGIN = 1000.0


@dataclass
class Clock:
    """Time that passes only where somebody sleeps."""

    now: float = _BEGIN

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Restarting(FakeRunner):
    """An engine whose container is started again every four seconds, if it has a clock."""

    clock: Clock | None = None

    row: dict[str, Any] = field(default_factory=dict)

    def run(self, argv: Sequence[str], **options: Any) -> Completed:
        # A start by hand sets it to 0: only one that was running before has ended so often.
        former = 7 if self.row["State"] == "running" else 0
        count = int((self.clock.now - _BEGIN) // 4) if self.clock else former
        self.answers["docker ps"] = says(json.dumps({**self.row, "RestartCount": count}))
        return super().run(argv, **options)


@dataclass
class Trial:
    """Starts of an Odoo in a given state, without an engine."""

    root: Path
    patch: pytest.MonkeyPatch
    clock: Clock = field(default_factory=Clock)
    health_seconds: int = 5

    def start(
        self,
        state: str,
        health: str = "",
        code: int = 0,
        page: float = 9999,
        restarts: bool = False,
    ) -> None:
        """Wait for an Odoo that serves its page after `page` seconds."""
        self.clock.now = _BEGIN
        for module in (lifecycle, start_watch):
            self.patch.setattr(module, "time", self.clock)
        self.patch.setattr(ingress, "get", lambda *_, **__: Reply(self._status(page), ""))
        row = {"Service": "odoo", "Name": "x-odoo-1", "State": state, "Health": health}
        runner = Restarting(row={**row, "ExitCode": code})
        runner.clock = self.clock if restarts else None
        settings = settings_in(self.root, health_seconds=self.health_seconds)
        lifecycle.resume_odoo(Stack(settings, runner), FakeReporter())

    def fails(
        self, message: str, state: str, health: str = "", code: int = 0, restarts: bool = False
    ) -> float:
        """The seconds until it gives up with `message`."""
        with pytest.raises(OpsError, match=message):
            self.start(state, health, code, restarts=restarts)
        return self.took

    @property
    def took(self) -> float:
        """The seconds of the last start."""
        return self.clock.now - _BEGIN

    def _status(self, page: float) -> int:
        return 200 if self.took >= page else 503


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    return Trial(tmp_path, monkeypatch)


@pytest.mark.parametrize("health", ["starting", "healthy"])
def test_the_page_ends_the_wait_whatever_docker_says_of_the_containers(
    trial: Trial, health: str
) -> None:
    trial.start("running", health, page=8)
    assert 8 <= trial.took < 9


def test_a_container_that_has_ended_ends_the_wait_at_once(trial: Trial) -> None:
    assert trial.fails("service odoo is exited, exit code 1", "exited", "", 1) < 5


@pytest.mark.parametrize("interval", [5, 30, 300])
def test_one_that_was_unhealthy_before_is_given_the_time_to_be_seen_healthy(
    trial: Trial, interval: int
) -> None:
    trial.health_seconds = interval
    took = trial.fails("service odoo is unhealthy", "running", "unhealthy")
    assert interval + 10 < took < interval + 20


def test_one_that_starts_again_and_again_is_given_some_tries(trial: Trial) -> None:
    reason = "service odoo is restarting again and again"
    assert 20 < trial.fails(reason, "running", "starting", restarts=True) < 30
    assert 20 < trial.fails(reason, "restarting", restarts=True) < 30


def test_a_page_beside_a_broken_container_is_not_enough(trial: Trial) -> None:
    with pytest.raises(OpsError, match="service odoo is exited"):
        trial.start("exited", code=1, page=0)


def test_healthy_containers_without_a_page_are_given_a_minute(trial: Trial) -> None:
    assert 60 < trial.fails("answers with status 503", "running", "healthy") < 70


def test_what_is_starting_may_take_minutes(trial: Trial) -> None:
    trial.start("running", "starting", page=300)
    assert trial.took >= 300
    assert 600 < trial.fails("answers with status 503", "running", "starting") < 610
