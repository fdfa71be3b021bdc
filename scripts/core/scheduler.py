"""Periodic jobs of this installation: a systemd timer where there is one, else cron."""

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from scripts.core import crond
from scripts.core.checks import Finding, Status
from scripts.core.errors import OpsError
from scripts.core.files import write_atomic
from scripts.core.process import CommandFailedError, Runner
from scripts.core.scheduled_job import ScheduledJob, cron_line, service_unit, timer_unit

_SCHEDULER_TIMEOUT: Final = 60.0
_CRONTAB_OF: Final = {True: "crontab of root", False: "crontab of this user"}
_START_CRON: Final = (
    "Start it and have it started with the machine: systemctl enable --now cron,"
    " or where there is no systemd: service cron start. Then run this again."
)
_TIMER_MINUTE: Final = re.compile(
    r"^OnCalendar=\*-\*-\* (?:\d\d|\*):(\d\d)(?:/\d+)?:00$", re.MULTILINE
)


@dataclass(frozen=True)
class Host:
    """What schedulers this machine has; by default, those of the machine we run on."""

    units: Path = Path("/etc/systemd/system")
    systemd: bool = field(default_factory=Path("/run/systemd/system").is_dir)
    crontab: bool = field(default_factory=lambda: shutil.which("crontab") is not None)
    root: bool = field(default_factory=lambda: os.geteuid() == 0)
    cron_runs: Callable[[], bool] = crond.runs

    def unit_files(self, name: str) -> tuple[Path, Path]:
        """Where the service and the timer of a job are, or would be."""
        return self.units / f"{name}.service", self.units / f"{name}.timer"


def install(
    job: ScheduledJob, runner: Runner, *, minute: int | None = None, host: Host | None = None
) -> str:
    """Have `job` run from now on, instead of what was installed under its name.

    Without `minute` the present one stays; at first it is drawn by lot, so that
    not all servers of the world ask for something in the same second.
    Returns where the job is now, for people. Raises OpsError where there is
    no scheduler or none runs, where one cannot be written, or where it is root's affair.
    """
    host = host or Host()
    if host.systemd and host.root:
        _install_units(job, runner, host, minute)
        if host.crontab:  # it must not run twice
            _remove_line(job.name, runner)
        return _timer(job.name, host)
    _require_no_timer_of_root(job.name, host)
    _require_crontab(host)
    if not _cron_runs(host, runner):
        raise OpsError(f"no cron runs on this machine: nothing would start {job.name}", _START_CRON)
    _install_line(job, runner, minute)
    return _CRONTAB_OF[host.root]


def remove(name: str, runner: Runner, *, host: Host | None = None) -> bool:
    """Forget the job `name`; False if there was none. Raises OpsError where that is impossible."""
    host = host or Host()
    _require_no_timer_of_root(name, host)
    removed = _remove_units(name, runner, host)
    if host.crontab:
        removed = _remove_line(name, runner) or removed
    return removed


def find(name: str, runner: Runner, *, host: Host | None = None) -> str:
    """Where the job `name` is, for people; '' if it is not installed (for this user)."""
    host = host or Host()
    if host.unit_files(name)[1].exists():
        return _timer(name, host)
    if host.crontab and any(_is_ours(line, name) for line in _read_lines(runner)):
        return _CRONTAB_OF[host.root]
    return ""


def finding(name: str, runner: Runner, *, host: Host | None = None) -> Finding:
    """Whether the job `name`, if it is installed for this user, is started by something.

    A warning where it is not: what the job is for goes on, until it is missed.
    """
    host = host or Host()
    timer = host.unit_files(name)[1]
    if timer.exists():
        ask = ["systemctl", "is-active", "--quiet", timer.name]
        if host.systemd and runner.run(ask, timeout=_SCHEDULER_TIMEOUT, check=False).ok:
            return Finding(Status.OK)
        detail = f"{_timer(name, host)} is not active"
        return Finding(Status.WARNING, detail, f"systemctl enable --now {timer.name}")
    try:
        place = find(name, runner, host=host)
    except OpsError:  # whom cron refuses has no job there
        place = ""
    if not place or _cron_runs(host, runner):
        return Finding(Status.OK)
    detail = f"{name} is in the {place}, and no cron runs on this machine"
    return Finding(Status.WARNING, detail, "systemctl enable --now cron, or: service cron start")


def _cron_runs(host: Host, runner: Runner) -> bool:
    if host.cron_runs():
        return True
    # systemd-cron has timers in the place of a daemon.
    target = ["systemctl", "is-active", "--quiet", "cron.target"]
    return host.systemd and runner.run(target, timeout=_SCHEDULER_TIMEOUT, check=False).ok


def _require_no_timer_of_root(name: str, host: Host) -> None:
    if not host.root and host.unit_files(name)[1].exists():
        raise OpsError(
            f"{name} is already a {_timer(name, host)}, which only root can change",
            "Run this again with sudo.",
        )


def _require_crontab(host: Host) -> None:
    if host.crontab:
        return
    hint = "Install the Debian package cron, or have any other scheduler call the command."
    if host.systemd:
        raise OpsError("only root can install a systemd timer", f"Run this with sudo. Or: {hint}")
    raise OpsError("this machine has neither systemd nor cron", hint)


# --- systemd ---


def _timer(name: str, host: Host) -> str:
    return f"systemd timer {host.unit_files(name)[1]}"


def _install_units(job: ScheduledJob, runner: Runner, host: Host, minute: int | None) -> None:
    service, timer = host.unit_files(job.name)
    if minute is None:
        known = _TIMER_MINUTE.search(timer.read_text()) if timer.exists() else None
        minute = int(known[1]) if known else _some_minute()
    if not runner.dry:
        write_atomic(service, service_unit(job).encode())
        write_atomic(timer, timer_unit(job, minute).encode())
    _systemctl(runner, "daemon-reload")
    _systemctl(runner, "enable", timer.name)
    _systemctl(runner, "restart", timer.name)  # `enable --now` leaves a running timer at its hours


def _remove_units(name: str, runner: Runner, host: Host) -> bool:
    present = [path for path in host.unit_files(name) if path.exists()]
    if not present:
        return False
    if host.systemd and host.unit_files(name)[1] in present:
        _systemctl(runner, "disable", "--now", f"{name}.timer")
    if not runner.dry:
        for path in present:
            path.unlink()
    if host.systemd:
        _systemctl(runner, "daemon-reload")
    return True


def _systemctl(runner: Runner, *arguments: str) -> None:
    runner.run(["systemctl", *arguments], timeout=_SCHEDULER_TIMEOUT, changes=True)


# --- cron ---


def _install_line(job: ScheduledJob, runner: Runner, minute: int | None) -> None:
    lines = _read_lines(runner)
    ours = [line for line in lines if _is_ours(line, job.name)]
    if minute is None:
        known = re.match(rb"(\d+)[,\s]", ours[0]) if ours else None
        minute = int(known[1]) if known else _some_minute()
    wanted = cron_line(job, minute).encode()
    if ours == [wanted]:
        return
    at = lines.index(ours[0]) if ours else len(lines)
    before, after = lines[:at], [line for line in lines[at:] if line not in ours]
    _write_lines([*before, wanted, *after], runner)


def _remove_line(name: str, runner: Runner) -> bool:
    lines = _read_lines(runner)
    foreign = [line for line in lines if not _is_ours(line, name)]
    if foreign == lines:
        return False
    _write_lines(foreign, runner)
    return True


def _is_ours(line: bytes, name: str) -> bool:
    return not line.startswith(b"#") and line.rstrip().endswith(f" # {name}".encode())


def _read_lines(runner: Runner) -> list[bytes]:
    """The user's crontab. Raises OpsError unless it was read whole, for it will be replaced."""
    argv = ["crontab", "-l"]
    # In the C locale: its words for "there is none" are looked for.
    done = runner.run(argv, env={"LC_ALL": "C"}, timeout=_SCHEDULER_TIMEOUT, check=False)
    if done.code == 1 and not done.stdout and "no crontab for" in done.stderr:
        return []
    if not done.ok:
        raise CommandFailedError(done, "Nothing was changed.")
    if done.stderr.strip():  # it would be among the lines below
        raise OpsError(f"`crontab -l` warns: {done.last_line}", "Nothing was changed.")
    # Once more, as bytes: text has had secrets masked and what is no UTF-8 replaced.
    with tempfile.TemporaryFile() as stream:
        runner.run(argv, stdout=stream, timeout=_SCHEDULER_TIMEOUT)
        stream.seek(0)
        content = stream.read()
    return content.removesuffix(b"\n").split(b"\n") if content else []


def _write_lines(lines: Sequence[bytes], runner: Runner) -> None:
    # By file: `crontab -` would take them from a stream of text.
    with tempfile.NamedTemporaryFile(prefix="crontab.") as stream:
        stream.write(b"".join(line + b"\n" for line in lines))
        stream.flush()
        runner.run(["crontab", stream.name], timeout=_SCHEDULER_TIMEOUT, changes=True)


def _some_minute() -> int:
    return 1 + secrets.randbelow(59)  # not 0, when everybody else runs their jobs
