"""Starts after a cause that is gone, interrupted stops, and ways out of what a service says."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.core.http import Reply
from scripts.core.interruption import TerminatedError
from scripts.stack import diagnosis, ingress, lifecycle, start_watch
from scripts.stack.compose import Stack
from tests.unit.support.fakes import (
    REDIS_ELSEWHERE,
    FakeReporter,
    FakeRunner,
    says,
    settings_in,
)


def _row(service: str, state: str = "running", **fields: Any) -> str:
    row = {"Service": service, "Name": f"x-{service}-1", "State": state, "Health": ""}
    return json.dumps({**row, **fields})


def _words(runner: FakeRunner) -> list[str]:
    """The changing commands, from the verb on."""
    return [" ".join(argv[argv.index("--file") + 2 :]) for argv in runner.changing]


@pytest.fixture(autouse=True)
def _page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingress, "get", lambda *_, **__: Reply(200, ""))


def test_what_waits_for_its_next_try_is_started_at_once(tmp_path: Path) -> None:
    rows = [
        _row("odoo", "restarting", ExitCode=1),
        _row("redis"),
        _row("restore", "restarting", Labels="com.docker.compose.oneoff=True"),
    ]

    @dataclass
    class Engine(FakeRunner):
        """One whose containers run once they were started."""

        def run(self, argv: Sequence[str], **options: Any) -> Completed:
            if "up" in argv:
                self.answers["docker ps"] = says(_row("odoo"))
            return super().run(argv, **options)

    runner = Engine({"docker ps": says("\n".join(rows))})
    lifecycle.resume_odoo(Stack(settings_in(tmp_path), runner), FakeReporter())
    assert _words(runner) == ["stop odoo", "up --detach --no-build --no-recreate"]


@pytest.mark.parametrize("code", [0, 143])
def test_what_somebody_who_is_gone_was_stopping_is_started_when_it_has_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    @dataclass
    class Engine(FakeRunner):
        """One that goes on with a stop while Odoo is started, and does so once."""

        def run(self, argv: Sequence[str], **options: Any) -> Completed:
            if "up" in argv:
                ended = not any("up" in call for call in self.calls)
                odoo = _row("odoo", "exited", ExitCode=code) if ended else _row("odoo")
                init = _row("odoo_init", "exited", ExitCode=0)
                self.answers["docker ps"] = says(f"{odoo}\n{init}")
            return super().run(argv, **options)

    runner = Engine({"docker ps": says(f"{_row('odoo')}\n{_row('odoo_init')}")})
    served = [503, 200]
    monkeypatch.setattr(ingress, "get", lambda *_, **__: Reply(served.pop(0), ""))
    lifecycle.resume_odoo(Stack(settings_in(tmp_path), runner), FakeReporter())
    assert _words(runner) == ["up --detach --no-build --no-recreate"] * 2


def test_nothing_is_stopped_where_nothing_waits(tmp_path: Path) -> None:
    runner = FakeRunner({"docker ps": says(_row("odoo"))})
    lifecycle.resume_odoo(Stack(settings_in(tmp_path), runner), FakeReporter())
    assert _words(runner) == ["up --detach --no-build --no-recreate"]


@dataclass
class _Interrupted(FakeRunner):
    """An engine during whose first `verb` somebody ends the command."""

    verb: str = "stop"

    def run(self, argv: Sequence[str], **options: Any) -> Completed:
        done = super().run(argv, **options)
        if self.verb in argv:
            self.verb = ""
            raise TerminatedError
        return done


def test_odoo_runs_again_where_its_stop_is_interrupted(tmp_path: Path) -> None:
    runner, reporter = _Interrupted({"docker ps": says(_row("odoo"))}), FakeReporter()
    with pytest.raises(TerminatedError):
        lifecycle.pause_odoo(Stack(settings_in(tmp_path), runner), reporter)
    # The engine may still be stopping it: only what has stopped is started again.
    assert _words(runner) == ["stop odoo", "stop odoo", "up --detach --no-build --no-recreate"]
    assert any("inv up" in said for said in reporter.said)


def test_an_interrupted_restart_names_the_command_that_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.stack.engine.probe", lambda _: None)
    runner = _Interrupted({"docker ps": says(_row("odoo"))}, verb="restart")
    reporter = FakeReporter()
    with pytest.raises(TerminatedError):
        lifecycle.restart(Stack(settings_in(tmp_path), runner), reporter)
    assert "inv up" in reporter.said[-1]


@pytest.mark.parametrize(
    "line",
    [
        "Bad file format reading the append only file a.aof: … use ./redis-check-aof --fix",
        "Invalid AOF manifest file format",
    ],
)
def test_a_damaged_file_of_redis_is_told_with_its_repair(tmp_path: Path, line: str) -> None:
    rows = _row("redis", "restarting", ExitCode=1)
    runner = FakeRunner({"docker ps": says(rows), "docker compose logs": says(line)})
    stack = Stack(settings_in(tmp_path), runner)
    found = diagnosis.diagnose(stack, OpsError("no"))
    assert "docker compose run --rm --no-deps redis repair" in found.hint
    runner.answers["docker compose logs"] = says("another trouble\n")
    found = diagnosis.diagnose(stack, OpsError("no"))
    assert found.hint == "More of it: inv logs --service redis"


@pytest.mark.parametrize("runs", [0.2, 3.0])
def test_a_page_beside_a_service_that_ends_at_once_is_no_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: float
) -> None:
    """Redis, which has just been started, and Odoo, whose page needs none.

    On a busy machine it takes seconds to find that its file is damaged.
    """
    clock = Clock()
    for module in (lifecycle, start_watch):
        monkeypatch.setattr(module, "time", clock)

    @dataclass
    class Engine(FakeRunner):
        """Redis runs for so long, and is started again 0.4 seconds later."""

        ends: bool = True

        def run(self, argv: Sequence[str], **options: Any) -> Completed:
            passed = clock.now - clock.begin
            round_ = runs + 0.4
            self.answers["docker exec"] = says(code=1 if self.ends else 0)
            state = "running" if passed % round_ < runs or not self.ends else "restarting"
            count = int(passed / round_) if self.ends else 0
            redis = _row("redis", state, Health="starting", RestartCount=count)
            rows = [_row("odoo", Health="healthy"), redis]
            self.answers["docker ps"] = says("\n".join(rows))
            return super().run(argv, **options)

    with pytest.raises(OpsError, match="service redis is restarting again and again"):
        lifecycle.resume_odoo(Stack(settings_in(tmp_path), Engine()), FakeReporter())
    clock.begin = clock.now
    lifecycle.resume_odoo(Stack(settings_in(tmp_path), Engine(ends=False)), FakeReporter())
    assert 1 <= clock.now - clock.begin < 2


@dataclass
class Clock:
    """Time that passes only where somebody sleeps."""

    now: float = 1000.0
    begin: float = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize("health", ["starting", "unhealthy"])
def test_a_start_that_compose_gave_up_blames_what_ends_again_and_again(
    tmp_path: Path, health: str
) -> None:
    server = _row("odoo_db", Health=health, RestartCount=5)
    rows = [server, _row("odoo_init", "exited", ExitCode=1)]
    runner = FakeRunner(
        {
            "docker ps": says("\n".join(rows)),
            "docker compose up": says(code=1, stderr="odoo_init: exit 1"),
        }
    )
    stack = Stack(settings_in(tmp_path), runner)
    with pytest.raises(OpsError, match="service odoo_db is restarting again and again"):
        lifecycle._bring_up(stack, "--remove-orphans")


def test_the_log_lines_shown_are_those_with_the_error() -> None:
    banner = [f"creating part {number}" for number in range(30)]
    failed = [*banner, 'FATAL:  unrecognized configuration parameter "nonsense"']
    assert diagnosis.telling([*failed, *banner]) == failed[-diagnosis.LOG_LINES :]
    assert diagnosis.telling([*failed, "stopped"]) == [*failed, "stopped"][-diagnosis.LOG_LINES :]
    assert diagnosis.telling(banner) == banner[-diagnosis.LOG_LINES :]
    assert diagnosis.telling(["one"]) == ["one"]


def test_a_redis_elsewhere_that_hangs_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    for module in (lifecycle, start_watch):
        monkeypatch.setattr(module, "time", clock)
    rows = "\n".join([_row("odoo", Health="healthy"), _row("redis", Health="starting")])
    hangs = says(code=124, stderr="no answer within 5 s")
    runner = FakeRunner({"docker ps": says(rows), "docker exec": hangs})
    with pytest.raises(OpsError, match=r"^Redis at redis\.test:6380: no answer within 5 s$"):
        lifecycle.resume_odoo(
            Stack(settings_in(tmp_path, redis=REDIS_ELSEWHERE), runner), FakeReporter()
        )
    assert clock.now - clock.begin < 2 * start_watch.USABLE_SECONDS
