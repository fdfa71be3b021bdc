"""Where the time of a test run goes: tables by file and by reason at its end.

A pytest plugin. A reason is what the test process waited for: a command of `inv` or Docker,
by its kind, a condition that became true, a pause. What is left is the test's own work.
"""

import contextlib
import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, SupportsIndex

import psutil
import pytest

from scripts.core.settings import ROOT
from scripts.testing import PHASES_FILE

_SLOWEST: Final = 15
_SHORTEST: Final = 1.0  # seconds; what takes less is in no table
_OWN: Final = "the test itself"
_FRESH: Final = 60  # seconds between the phase before this one and the start of pytest
_INV: Final = {
    "starting, stopping": ("up", "down", "restart", "quickstart"),
    "module commands": ("module.",),
    "backup commands": ("backup", "restore", "clone"),
    "image builds": ("images",),
}
_COMPOSE: Final = {
    "starting, stopping": ("up", "down", "start", "stop", "restart", "rm", "create"),
    "commands in containers": ("exec", "run"),
}


def _zeros() -> dict[str, float]:
    return defaultdict(float)


@dataclass
class _Recorder:
    """The time that this process spends waiting, by reason; only the outermost wait counts."""

    spent: dict[str, float] = field(default_factory=_zeros)
    waiting: bool = False

    @contextlib.contextmanager
    def wait(self, reason: str) -> Iterator[None]:
        if self.waiting or threading.current_thread() is not threading.main_thread():
            yield  # what threads wait for passes beside the test
            return
        self.waiting, began = True, time.monotonic()
        try:
            yield
        finally:
            self.waiting = False
            self.spent[reason] += time.monotonic() - began

    def take(self) -> dict[str, float]:
        taken, self.spent = dict(self.spent), _zeros()
        return taken


recorder: Final = _Recorder()


def waiting(reason: str) -> contextlib.AbstractContextManager[None]:
    """Count the block as time spent for `reason`, unless it is part of a longer wait."""
    return recorder.wait(reason)


def kind(argv: Sequence[str]) -> str:
    """The reason that stands for a command."""
    words = [word for word in argv if not word.startswith("-")]
    if not words:
        return _OWN
    if Path(words[0]).name == "inv":
        return _first_match(_INV, words[1:2], "other commands of inv")
    if words[:2] == ["docker", "compose"]:
        known = {verb for verbs in _COMPOSE.values() for verb in verbs}
        verb = [word for word in words[2:] if word in known][:1]
        return _first_match(_COMPOSE, verb, "other commands of Docker")
    if words[:2] == ["docker", "build"]:
        return "image builds"
    if words[:2] == ["docker", "exec"]:
        return "commands in containers"
    return "other commands of Docker" if words[0] == "docker" else "other commands"


def _first_match(kinds: dict[str, tuple[str, ...]], word: Sequence[str], otherwise: str) -> str:
    for name, beginnings in kinds.items():
        if word and word[0].startswith(beginnings):
            return name
    return otherwise


def _count_pauses() -> None:
    """Have time.sleep() counted, wherever a test calls it."""
    sleep = time.sleep

    def counted(seconds: float | SupportsIndex) -> None:
        with recorder.wait("pauses"):
            sleep(seconds)

    time.sleep = counted


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Give each report what its phase has waited for; it travels to the main process with it."""
    report = yield
    report.waited = recorder.take()
    return report


@dataclass(eq=False)  # pytest keeps its plugins in sets
class Table:
    """What the main process learns from the reports."""

    began: float = field(default_factory=time.time)
    cpu: Any = field(default_factory=psutil.cpu_times)
    files: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(_zeros))
    reasons: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(_zeros))
    tests: dict[str, float] = field(default_factory=_zeros)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """See pytest: one phase of one test has ended."""
        file = report.nodeid.partition("::")[0]
        self.files[file][report.when or ""] += report.duration
        self.files[file]["tests"] += report.when == "call"
        self.tests[report.nodeid.partition("@")[0]] += report.duration
        waited: dict[str, float] = getattr(report, "waited", {})
        own = report.duration - sum(waited.values())
        for reason, seconds in {**waited, _OWN: own}.items():
            self.reasons[file][reason] += seconds

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """See pytest: print the tables."""
        total = _zeros()
        for counted in self.reasons.values():
            for reason, seconds in counted.items():
                total[reason] += seconds
        if sum(total.values()) < _SHORTEST:
            return
        for title, lines in (
            ("time by file (s)", self._by_file()),
            ("time by reason (s)", [f"{s:8.0f}  {r}" for r, s in _largest(total)]),
            (f"{_SLOWEST} slowest tests (s)", self._slowest()),
            ("this run", [self._utilisation()]),
            ("phases", _phases(time.time() - self.began)),
        ):
            if lines:
                terminalreporter.section(title, sep="-")
                terminalreporter.write("\n".join(lines) + "\n")

    def _by_file(self) -> list[str]:
        lines = [f"{'tests':>5} {'setup':>6} {'call':>6} {'down':>6}  file: most for"]
        for file, row in sorted(self.files.items(), key=lambda pair: -_seconds(pair[1])):
            if _seconds(row) < _SHORTEST:
                continue
            most = ", ".join(f"{r} {s:.0f}" for r, s in _largest(self.reasons[file])[:3] if s >= 1)
            numbers = f"{row['setup']:6.0f} {row['call']:6.0f} {row['teardown']:6.0f}"
            lines.append(f"{row['tests']:5.0f} {numbers}  {file}: {most}")
        return lines

    def _slowest(self) -> list[str]:
        found = _largest(self.tests)[:_SLOWEST]
        return [f"{seconds:8.1f}  {name}" for name, seconds in found if seconds >= _SHORTEST]

    def _utilisation(self) -> str:
        now = psutil.cpu_times()
        idle = sum(getattr(now, n, 0) - getattr(self.cpu, n, 0) for n in ("idle", "iowait"))
        passed = time.time() - self.began
        cores = os.cpu_count() or 1
        return f"{passed:.0f} s, {cores} cores {1 - idle / passed / cores:.0%} busy"


def _largest(counted: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(counted.items(), key=lambda pair: -pair[1])


def _seconds(row: Mapping[str, float]) -> float:
    return row["setup"] + row["call"] + row["teardown"]


def _phases(this: float) -> list[str]:
    """The phases of `inv test` before this one, and this one."""
    file = ROOT / ".state" / PHASES_FILE
    # A pytest that was started by hand finds what an `inv test` of long ago has left.
    if not file.is_file() or time.time() - this - file.stat().st_mtime > _FRESH:
        return []
    rows = [*json.loads(file.read_text()), ["these tests", this]]
    lines = [f"{seconds:8.0f}  {name}" for name, seconds in rows]
    return [*lines, f"{sum(seconds for _, seconds in rows):8.0f}  in all"]


def install(config: pytest.Config) -> None:
    """Begin to count in this process; the main one also prints the tables."""
    _count_pauses()
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Table(), "durations-table")
