"""A job that nothing would start is not called installed, and shows in `inv health`."""

from dataclasses import replace
from pathlib import Path

import pytest

from scripts.core import crond, scheduler
from scripts.core.checks import Status
from scripts.core.errors import OpsError
from scripts.core.scheduler import Host
from tests.unit.support.crontab import JOB, Crontab
from tests.unit.support.fakes import FakeRunner, says

_ACTIVE = "systemctl is-active --quiet"


@pytest.fixture
def idle(tmp_path: Path) -> Host:
    """A machine with the program crontab and no cron."""
    units = tmp_path / "units"
    units.mkdir()
    return Host(units=units, systemd=False, crontab=True, root=False, cron_runs=lambda: False)


def test_where_no_cron_runs_nothing_is_installed(idle: Host) -> None:
    runner = Crontab(kept=b"1 1 * * * a\n")
    with pytest.raises(OpsError, match="no cron runs on this machine") as caught:
        scheduler.install(JOB, runner, host=idle)
    assert "service cron start" in caught.value.hint
    assert runner.kept == b"1 1 * * * a\n"


def test_what_is_installed_can_be_removed_where_no_cron_runs(idle: Host) -> None:
    runner = Crontab()
    scheduler.install(JOB, runner, host=replace(idle, cron_runs=lambda: True))
    assert scheduler.remove(JOB.name, runner, host=idle)


def test_timers_of_systemd_in_the_place_of_cron_are_good_enough(idle: Host) -> None:
    host = replace(idle, systemd=True)
    runner = Crontab(answers={_ACTIVE: says(code=3), f"{_ACTIVE} cron.target": says()})
    assert scheduler.install(JOB, runner, host=host) == "crontab of this user"
    runner.answers[f"{_ACTIVE} cron.target"] = says(code=3)
    with pytest.raises(OpsError, match="no cron runs"):
        scheduler.install(JOB, runner, host=host)


def test_health_warns_of_a_line_that_no_cron_reads(idle: Host) -> None:
    runner = Crontab()
    assert scheduler.finding(JOB.name, runner, host=idle).status is Status.OK  # nothing there
    scheduler.install(JOB, runner, host=replace(idle, cron_runs=lambda: True))
    found = scheduler.finding(JOB.name, runner, host=idle)
    assert found.status is Status.WARNING
    assert f"{JOB.name} is in the crontab of this user, and no cron runs" in found.detail
    running = replace(idle, cron_runs=lambda: True)
    assert scheduler.finding(JOB.name, runner, host=running).status is Status.OK


def test_health_warns_of_a_timer_that_was_stopped(tmp_path: Path) -> None:
    host = Host(units=tmp_path, systemd=True, crontab=False, root=True)
    scheduler.install(JOB, FakeRunner(), host=host)
    active = FakeRunner({_ACTIVE: says()})
    assert scheduler.finding(JOB.name, active, host=host).status is Status.OK
    for other in (FakeRunner({_ACTIVE: says(code=3)}), active):
        found = scheduler.finding(JOB.name, other, host=replace(host, systemd=other is not active))
        assert found.status is Status.WARNING and "is not active" in found.detail


def test_who_may_not_use_cron_has_no_job_there(idle: Host) -> None:
    denied = FakeRunner({"crontab -l": says(code=1, stderr="You are not allowed\n")})
    assert scheduler.finding(JOB.name, denied, host=idle).status is Status.OK


def _process(proc: Path, pid: int, name: str, ids: str, state: str = "S (sleeping)") -> None:
    folder = proc / str(pid)
    folder.mkdir(parents=True)
    (folder / "comm").write_text(f"{name}\n")
    (folder / "status").write_text(f"Name:\t{name}\nState:\t{state}\nNSpid:\t{ids}\n")


@pytest.mark.parametrize(
    ("name", "ids", "runs"),
    [
        ("cron", "4711", True),
        ("crond", "4711", True),
        ("cron", "4711\t1", False),  # in a container of this machine
        ("crontab", "4711", False),
        ("cronometer", "4711", False),
    ],
)
def test_a_cron_is_known_by_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, ids: str, runs: bool
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    _process(tmp_path / "proc", 4711, name, ids)
    assert crond.runs(tmp_path / "proc", tmp_path / "run") is runs


@pytest.mark.parametrize(
    ("content", "error", "runs"),
    [
        ("4711\n", PermissionError(), True),
        ("4711\n", ProcessLookupError(), False),  # left by one that was killed
        ("4711\n", None, False),  # ours, and no cron among the processes
        ("", PermissionError(), False),
        ("9" * 30, OverflowError(), False),
    ],
)
def test_a_cron_of_root_whose_processes_are_hidden_is_known_by_its_pid_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: str,
    error: Exception | None,
    runs: bool,
) -> None:
    def kill(pid: int, signal: int) -> None:
        if error:
            raise error

    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("os.kill", kill)
    (tmp_path / "crond.pid").write_text(content)
    assert crond.runs(tmp_path / "proc", tmp_path) is runs
    _process(tmp_path / "proc", 4711, "python3", "4711")  # the number is another's now
    assert not crond.runs(tmp_path / "proc", tmp_path)


def test_a_cron_that_has_ended_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    _process(tmp_path / "proc", 4711, "cron", "4711", "Z (zombie)")
    assert not crond.runs(tmp_path / "proc", tmp_path)


def test_macos_starts_its_cron_when_there_is_something_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert crond.runs(tmp_path, tmp_path)
