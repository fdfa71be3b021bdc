"""Periodic jobs on a real Debian: its cron runs them, its systemd reads the units."""

import re
from collections.abc import Iterator

import pytest

from scripts.stack.engine import Engine
from tests.e2e.support.debian_host import DebianHost, debian_host
from tests.support.waiting import eventually

FOLDER = "/srv/my odoo 100% $HOME"
FOREIGN = b"MAILTO=\"\"\n# caf\xe9, and no UTF-8\n\n0 4 * * * echo 'mine'  # 50\\%\n"
ARGUMENTS = ["a b", "$HOME", "100% %h", "it's", 'q"\\', ";", "#"]
WITNESS = b'#!/bin/sh\n{ pwd; printf "[%s]\\n" "$@"; } >/tmp/ran.new && mv /tmp/ran.new /tmp/ran\n'
ONCE_EVERY_MINUTE = 75  # cron looks once a minute, at its begin


@pytest.fixture(scope="module")
def machine(docker: Engine) -> Iterator[DebianHost]:
    with debian_host() as started:
        yield started


def _job(machine: DebianHost, folder: str) -> list[str]:
    machine.write(f"{folder}/inv", WITNESS)
    machine.ok("chmod", "755", f"{folder}/inv")
    return [
        "from pathlib import Path",
        "from scripts.core import scheduler",
        "from scripts.core.scheduled_job import ScheduledJob, service_unit, timer_unit",
        "from scripts.core.process import SystemRunner",
        f"folder = Path({folder!r})",
        f"argv = (str(folder / 'inv'), *{ARGUMENTS!r})",
        "job = ScheduledJob('ipai-witness', '100% seen', argv, folder, tuple(range(24)), (0, 3))",
        "runner = SystemRunner()",
    ]


def _next_minute(machine: DebianHost) -> int:
    minute, second = map(int, machine.ok("date", "+%M %S").split())
    return (minute + (1 if second < 50 else 2)) % 60


def test_cron_runs_the_job_and_every_other_line_stays(machine: DebianHost) -> None:
    job = _job(machine, FOLDER)
    place = machine.python(
        *job, f"print(scheduler.install(job, runner, minute={_next_minute(machine)}))"
    )
    assert place == "crontab of root"  # of a user who had none
    machine.ok("crontab", "-", stdin=FOREIGN)
    minute = _next_minute(machine)
    machine.python(*job, f"scheduler.install(job, runner, minute={minute})")
    machine.python(*job, "scheduler.install(job, runner)")
    often = "ScheduledJob('ipai-often', 'x', ('/usr/bin/tee', '-a', '/tmp/often'), folder, every=1)"
    machine.python(*job, f"scheduler.install({often}, runner)")
    assert eventually(lambda: machine.run("test", "-f", "/tmp/often").returncode == 0, 200)
    machine.python(*job, "scheduler.remove('ipai-often', runner)")
    lines = machine.ok("crontab", "-l")
    assert lines.startswith(FOREIGN)
    assert lines.removeprefix(FOREIGN).count(b"\n") == 1
    assert lines.removeprefix(FOREIGN).startswith(f"{minute} 0,1,2,".encode())
    ran = eventually(lambda: machine.run("cat", "/tmp/ran").stdout.decode(), ONCE_EVERY_MINUTE + 60)
    assert ran.splitlines() == [FOLDER, *(f"[{argument}]" for argument in ARGUMENTS)]
    removing = "print(scheduler.remove(job.name, runner), scheduler.find(job.name, runner) == '')"
    assert machine.python(*job, removing) == "True True"
    assert machine.ok("crontab", "-l") == FOREIGN


def test_a_user_whom_cron_refuses_is_told_so_and_loses_nothing(machine: DebianHost) -> None:
    machine.ok("useradd", "--create-home", "refused")
    theirs = b"1 1 * * * theirs\n"
    machine.ok("crontab", "-u", "refused", "-", stdin=theirs)
    machine.write("/etc/cron.deny", b"refused\n")
    program = "\n".join(
        [
            *_job(machine, "/srv/odoo"),
            "try: scheduler.install(job, runner)",
            "except scheduler.OpsError as error: print(error.message)",
        ]
    )
    as_them = ["runuser", "-u", "refused", "--", "env", "PYTHONPATH=/src", "python3", "-B", "-c"]
    said = machine.ok(*as_them, program).decode()
    assert "`crontab -l` failed" in said
    assert machine.ok("cat", "/var/spool/cron/crontabs/refused").endswith(theirs)


def test_nothing_is_called_installed_where_no_cron_runs(docker: Engine) -> None:
    with debian_host("sleep", "600") as idle:
        job = _job(idle, FOLDER)
        attempt = [
            "try: print(scheduler.install(job, runner))",
            "except scheduler.OpsError as error: print(error.message)",
        ]
        refused = "no cron runs on this machine: nothing would start ipai-witness"
        assert idle.python(*job, *attempt) == refused
        assert idle.run("crontab", "-l").returncode == 1
        idle.ok("service", "cron", "start")  # as the hint says
        assert idle.python(*job, *attempt) == "crontab of root"
        status = "print(scheduler.finding(job.name, runner).status)"
        assert idle.python(*job, status) == "ok"
        idle.ok("service", "cron", "stop")
        assert idle.python(*job, status) == "warning"
        assert (
            idle.python(*job, attempt[0].replace("install(job", "remove(job.name"), attempt[1])
            == "True"
        )


@pytest.mark.parametrize("folder", [FOLDER, '/srv/Ada\'s "odoo" %h'])
def test_systemd_understands_the_units(machine: DebianHost, folder: str) -> None:
    machine.python(
        *_job(machine, folder),
        "units = Path('/etc/systemd/system')",
        "(units / 'ipai-witness.service').write_text(service_unit(job))",
        "(units / 'ipai-witness.timer').write_text(timer_unit(job, 7))",
    )
    units = [f"/etc/systemd/system/ipai-witness.{kind}" for kind in ("service", "timer")]
    done = machine.run("systemd-analyze", "verify", *units)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
    timer = machine.ok("grep", "OnCalendar", units[1]).decode().splitlines()[0]
    machine.ok("systemd-analyze", "calendar", timer.partition("=")[2])


@pytest.mark.parametrize("minutes", [1, 5, 60])
def test_systemd_understands_a_timer_of_every_few_minutes(
    machine: DebianHost, minutes: int
) -> None:
    often = f"ScheduledJob('ipai-often', 'x', ('/bin/true',), Path('/'), every={minutes})"
    timer = machine.python(*_job(machine, FOLDER), f"print(timer_unit({often}, 47))")
    (calendar,) = [x.partition("=")[2] for x in timer.splitlines() if x.startswith("OnCalendar")]
    shown = machine.ok("systemd-analyze", "calendar", "--iterations", "3", calendar).decode()
    times = re.findall(r"(?:Next elapse|Iteration #\d): \w+ [\d-]+ (\d\d):(\d\d):00", shown)
    moments = [60 * int(hour) + int(minute) for hour, minute in times]
    assert len(moments) == 3 and moments[0] % 60 % minutes == 47 % minutes
    assert (moments[2] - moments[1]) % 1440 == minutes
