"""`inv test`: what it runs, in which order, and how end-to-end tests run side by side."""

import fcntl
import json
import multiprocessing
import sys
import time
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from scripts import testing
from scripts.core.errors import UsageError
from scripts.core.files import digest
from scripts.core.process import CommandFailedError
from scripts.stack.compose import Stack
from scripts.testing import Request
from tests import durations
from tests.conftest import pytest_collection_modifyitems
from tests.e2e.support.run_lock import RunLock
from tests.support import run_folder, waiting
from tests.support.waiting import eventually
from tests.unit.support.fakes import FakeReporter, FakeRunner, ReplacedError, says, settings_in


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Stack, FakeRunner]:
    """A project whose packages for the tests are installed."""
    lock = tmp_path / "requirements" / "dev.lock"
    lock.parent.mkdir()
    lock.write_text("pytest==1\n")
    (tmp_path / "dev.installed").write_text(digest([lock], tmp_path))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    runner = FakeRunner({"docker": says(code=1)})
    return Stack(settings_in(tmp_path), runner), runner


def _programs(runner: FakeRunner) -> list[str]:
    """What was run, in short: the program, and for pytest the folders."""
    found = []
    for argv in runner.calls:
        if argv[0] == "docker":
            continue
        folders = [word.removeprefix("tests/") for word in argv if word.startswith("tests/")]
        found.append(" ".join([argv[2], *folders]) if argv[1] == "-m" else argv[0])
    return found


def test_the_quick_ones_come_first(stack: tuple[Stack, FakeRunner]) -> None:
    with pytest.raises(ReplacedError):
        testing.run(stack[0], FakeReporter(), Request())
    assert _programs(stack[1]) == [
        "ruff",
        "ruff",
        "mypy",
        "pytest unit",
        "pytest static",
        "pytest e2e",
    ]
    taken = json.loads((stack[0].settings.state_folder / testing.PHASES_FILE).read_text())
    assert [name for name, _ in taken] == ["lint", "format", "types", "unit tests", "static tests"]


def test_nothing_follows_what_fails(stack: tuple[Stack, FakeRunner]) -> None:
    settled, runner = stack
    runner.answers[f"{sys.executable} -m mypy"] = says(code=1)
    with pytest.raises(CommandFailedError):
        testing.run(settled, FakeReporter(), Request())
    assert _programs(runner) == ["ruff", "ruff", "mypy"]


def test_only_what_takes_hours(stack: tuple[Stack, FakeRunner]) -> None:
    with pytest.raises(ReplacedError):
        testing.run(stack[0], FakeReporter(), Request(soak=True))
    assert _programs(stack[1]) == ["pytest e2e"]
    assert "--soak" in stack[1].calls[-1]
    assert not [word for word in stack[1].calls[-1] if word.startswith("--numprocesses")]


def test_variants_are_left_out_unless_they_are_asked_for(stack: tuple[Stack, FakeRunner]) -> None:
    with pytest.raises(ReplacedError):
        testing.run(stack[0], FakeReporter(), Request())
    assert not [argv for argv in stack[1].calls if "--extended" in argv]
    with pytest.raises(ReplacedError):
        testing.run(stack[0], FakeReporter(), Request(extended=True))
    assert "tests/e2e" in stack[1].calls[-1] and "--extended" in stack[1].calls[-1]


@pytest.mark.parametrize(
    ("options", "run"),
    [((), {"plain"}), (("--extended",), {"plain", "extended"}), (("--soak",), {"soak"})],
)
def test_the_marks_choose_what_is_run(options: tuple[str, ...], run: set[str]) -> None:
    config = Mock(getoption=lambda name: name in options)
    marks: list[tuple[str, ...]] = [(), ("extended",), ("soak",)]
    items: Any = [
        Mock(kind=(*names, "plain")[0], get_closest_marker=lambda name, names=names: name in names)
        for names in marks
    ]
    left_out = [item.kind for item in items if item.kind not in run]
    pytest_collection_modifyitems(config, items)
    assert {item.kind for item in items} == run
    (call,) = config.hook.pytest_deselected.call_args_list
    assert [item.kind for item in call.kwargs["items"]] == left_out


def test_one_kind_and_further_options(stack: tuple[Stack, FakeRunner]) -> None:
    with pytest.raises(ReplacedError):
        testing.run(stack[0], FakeReporter(), Request(only="unit", jobs=3, pytest=("-k", "tls")))
    (argv,) = stack[1].calls
    assert _programs(stack[1]) == ["pytest unit"]
    assert "--numprocesses=3" in argv and argv[-2:] == ["-k", "tls"]


@pytest.mark.parametrize("wrong", [Request(only="nothing"), Request(jobs=-1), Request(jobs=9)])
def test_a_wrong_request_is_a_usage_error(stack: tuple[Stack, FakeRunner], wrong: Request) -> None:
    with pytest.raises(UsageError):
        testing.run(stack[0], FakeReporter(), wrong)
    assert not stack[1].calls


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        ("./scripts/inv module.install sale", "module commands"),
        ("./scripts/inv backup.list --json", "backup commands"),
        ("./scripts/inv up --prod", "starting, stopping"),
        ("./scripts/inv health", "other commands of inv"),
        ("docker compose -f compose.yaml up -d", "starting, stopping"),
        ("docker exec --interactive odoo ls", "commands in containers"),
        ("docker build --quiet .", "image builds"),
        ("docker ps", "other commands of Docker"),
        ("mount -t tmpfs", "other commands"),
    ],
)
def test_time_is_counted_by_the_kind_of_command(argv: str, reason: str) -> None:
    assert durations.kind(argv.split()) == reason


def test_between_two_looks_it_waits_as_long_as_a_look_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, pauses = [0.0], []
    looks = iter([(2.0, False), (0.1, False), (60.0, False), (0.0, True)])

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    def look() -> bool:
        seconds, found = next(looks)
        now[0] += seconds
        return found

    monkeypatch.setattr(waiting, "time", Mock(monotonic=lambda: now[0], sleep=sleep))
    assert eventually(look, 600)
    assert pauses == [pytest.approx(seconds) for seconds in (2, 0.25, 5)]


def _hold(folder: Path, alone: bool, seconds: float, events: "Queue[tuple[str, float]]") -> None:
    lock = RunLock(folder)
    lock.acquire(alone=alone)
    events.put(("alone" if alone else "shared", time.monotonic()))
    time.sleep(seconds)
    events.put(("end", time.monotonic()))
    events.close()
    events.join_thread()  # it is in the pipe before anybody else gets in
    lock.release()


def _is_locked(path: Path) -> bool:
    with path.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_serial_test_waits_for_all_others_and_they_for_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    events: Queue[tuple[str, float]] = context.Queue()
    lock = RunLock(tmp_path)
    lock.acquire(alone=False)
    shared = context.Process(target=_hold, args=(tmp_path, False, 0, events))
    shared.start()  # side by side with this one
    assert [events.get(timeout=30)[0] for _ in range(2)] == ["shared", "end"]
    alone = context.Process(target=_hold, args=(tmp_path, True, 0.2, events))
    alone.start()
    assert eventually(lambda: _is_locked(tmp_path / "entrance.lock"), 30, interval=0.01)
    later = context.Process(target=_hold, args=(tmp_path, False, 0, events))
    later.start()  # must not get in before the one that waits to be alone
    time.sleep(0.1)
    assert events.empty()
    lock.release()
    assert [events.get(timeout=30)[0] for _ in range(4)] == ["alone", "end", "shared", "end"]
    for process in (shared, alone, later):
        process.join(30)


def test_what_a_killed_run_has_left_is_removed_by_the_next_and_a_running_one_kept(
    tmp_path: Path,
) -> None:
    running, killed = (run_folder.RunFolder.make(tmp_path) for _ in range(2))
    killed.lock.close()  # as the kernel does at the end of a process
    cleaned: list[str] = []
    assert run_folder.remove_abandoned(tmp_path, cleaned.append) == cleaned == [killed.run]
    assert running.path.is_dir() and not killed.path.exists()
    running.remove(cleaned.append)
    assert cleaned[-1] == running.run and not running.path.exists()
