import re
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.core import scheduler
from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.core.process import CommandFailedError
from scripts.core.scheduled_job import ScheduledJob, cron_line, service_unit, timer_unit
from scripts.core.scheduler import Host
from tests.unit.support.crontab import JOB, Crontab
from tests.unit.support.fakes import FakeRunner, says

FOREIGN = b"MAILTO=me@example.com\n# caf\xe9 # ipai-platform-renew-tls\n\n0 4 * * * backup # mine\n"


@pytest.fixture
def cron(tmp_path: Path) -> Host:
    return Host(units=tmp_path, systemd=False, crontab=True, root=False, cron_runs=lambda: True)


@pytest.fixture
def systemd(tmp_path: Path) -> Host:
    return Host(units=tmp_path, systemd=True, crontab=False, root=True)


def _minutes(text: str) -> set[str]:
    return set(re.findall(r"OnCalendar=\*-\*-\* \d\d:(\d\d):00", text))


def test_the_first_job_of_a_user_makes_a_crontab(cron: Host) -> None:
    runner = Crontab()
    assert scheduler.find(JOB.name, runner, host=cron) == ""
    assert scheduler.install(JOB, runner, minute=7, host=cron) == "crontab of this user"
    assert runner.kept == cron_line(JOB, 7).encode() + b"\n"
    assert scheduler.find(JOB.name, runner, host=cron) == "crontab of this user"


@pytest.mark.parametrize("foreign", [FOREIGN, b"\n", b"\n\n# no job\n", b"\r\n1 * * * * x\r\n"])
def test_foreign_lines_are_kept_byte_for_byte(cron: Host, foreign: bytes) -> None:
    runner = Crontab(kept=foreign)
    scheduler.install(JOB, runner, minute=7, host=cron)
    assert runner.kept == foreign + cron_line(JOB, 7).encode() + b"\n"
    assert scheduler.remove(JOB.name, runner, host=cron)
    assert runner.kept == foreign
    assert not scheduler.remove(JOB.name, runner, host=cron)


def test_a_last_line_without_an_end_does_not_swallow_the_job(cron: Host) -> None:
    runner = Crontab(kept=b"0 4 * * * backup")
    scheduler.install(JOB, runner, minute=7, host=cron)
    assert runner.kept == b"0 4 * * * backup\n" + cron_line(JOB, 7).encode() + b"\n"


def test_installing_again_replaces_the_line_in_its_place_and_keeps_its_minute(cron: Host) -> None:
    runner = Crontab(kept=b"1 1 * * * a\n")
    scheduler.install(JOB, runner, host=cron)
    first = runner.kept
    assert first
    minute = int(first.splitlines()[1].split()[0])
    runner.kept = first + b"2 2 * * * b\n" + first.splitlines(keepends=True)[1]
    later = replace(JOB, hours=(5,))
    scheduler.install(later, runner, host=cron)
    expected = b"1 1 * * * a\n" + cron_line(later, minute).encode() + b"\n2 2 * * * b\n"
    assert runner.kept == expected


def test_the_job_of_another_installation_is_foreign(cron: Host) -> None:
    other = cron_line(replace(JOB, name=f"{JOB.name}-2"), 9).encode() + b"\n"
    runner = Crontab(kept=other)
    assert scheduler.find(JOB.name, runner, host=cron) == ""
    assert not scheduler.remove(JOB.name, runner, host=cron)
    assert runner.kept == other


@pytest.mark.parametrize(
    "answer",
    [
        says(code=1, stderr="crontabs/me: Permission denied"),
        says(code=1, stderr="You (me) are not allowed to use this program"),
        says("1 1 * * * a", code=1, stderr="no crontab for me"),
        says(code=127),
    ],
)
def test_a_crontab_that_cannot_be_read_is_not_taken_for_empty(
    cron: Host, answer: Completed
) -> None:
    runner = Crontab(answers={"crontab -l": answer})
    for act in (
        lambda: scheduler.install(JOB, runner, host=cron),
        lambda: scheduler.remove(JOB.name, runner, host=cron),
    ):
        with pytest.raises(CommandFailedError, match="crontab -l"):
            act()
    assert not runner.changing


def test_a_warning_of_crontab_never_becomes_a_line(cron: Host) -> None:
    runner = Crontab(kept=b"1 1 * * * a\n", warning="crontab: spool is strange\n")
    with pytest.raises(OpsError, match="spool is strange"):
        scheduler.install(JOB, runner, host=cron)
    assert runner.kept == b"1 1 * * * a\n"


def test_a_percent_sign_does_not_end_the_command_of_cron() -> None:
    line = cron_line(JOB, 7)
    assert line.startswith("7 3,15 * * * cd '/srv/my odoo' && ")
    assert r"'--name=100\% $HOME'" in line


def test_a_server_with_systemd_gets_a_timer(systemd: Host, tmp_path: Path) -> None:
    runner = FakeRunner()
    place = scheduler.install(JOB, runner, minute=7, host=systemd)
    timer = tmp_path / f"{JOB.name}.timer"
    assert place == f"systemd timer {timer}" == scheduler.find(JOB.name, runner, host=systemd)
    assert timer.read_text() == timer_unit(JOB, 7)
    assert (tmp_path / f"{JOB.name}.service").read_text() == service_unit(JOB)
    assert [argv[1:] for argv in runner.changing] == [
        ["daemon-reload"],
        ["enable", timer.name],
        ["restart", timer.name],
    ]


def test_the_minute_of_a_timer_is_drawn_once(systemd: Host, tmp_path: Path) -> None:
    seen = set()
    for hours in ((3, 15), (4,), (5,)):
        scheduler.install(replace(JOB, hours=hours), FakeRunner(), host=systemd)
        seen |= _minutes((tmp_path / f"{JOB.name}.timer").read_text())
    assert len(seen) == 1
    assert "00" not in seen


def test_a_removed_timer_is_stopped_before_its_files_go(systemd: Host, tmp_path: Path) -> None:
    scheduler.install(JOB, FakeRunner(), host=systemd)
    runner = FakeRunner()
    assert scheduler.remove(JOB.name, runner, host=systemd)
    assert runner.calls[0] == ["systemctl", "disable", "--now", f"{JOB.name}.timer"]
    assert list(tmp_path.iterdir()) == []
    assert not scheduler.remove(JOB.name, runner, host=systemd)
    assert scheduler.find(JOB.name, runner, host=systemd) == ""


def test_a_timer_takes_over_from_cron(systemd: Host) -> None:
    runner = Crontab(kept=FOREIGN + cron_line(JOB, 7).encode() + b"\n")
    scheduler.install(JOB, runner, host=replace(systemd, crontab=True))
    assert runner.kept == FOREIGN


def test_a_unit_says_paths_as_systemd_reads_them() -> None:
    unit = service_unit(replace(JOB, argv=("/a b$c/100%/inv", 'a "b"\\c', "50%")))
    assert r'ExecStart=":/a b$c/100%%/inv" "a \"b\"\\c" "50%%"' in unit
    assert "WorkingDirectory=/srv/my odoo\n" in unit
    assert "SuccessExitStatus=3\n" in unit
    assert "SuccessExitStatus" not in service_unit(replace(JOB, success_codes=(0,)))


def test_a_timer_has_every_hour_and_makes_up_for_a_missed_one() -> None:
    unit = timer_unit(JOB, 7)
    assert "OnCalendar=*-*-* 03:07:00\nOnCalendar=*-*-* 15:07:00\nPersistent=true\n" in unit


@pytest.mark.parametrize("host", ["cron", "systemd"])
def test_a_dry_run_changes_nothing(
    host: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    runner = Crontab(kept=FOREIGN, dry=True)
    scheduler.install(JOB, runner, host=request.getfixturevalue(host))
    assert (runner.kept, list(tmp_path.iterdir())) == (FOREIGN, [])


def test_where_there_is_no_scheduler_a_person_learns_what_to_do(cron: Host, systemd: Host) -> None:
    with pytest.raises(OpsError, match="neither systemd nor cron") as caught:
        scheduler.install(JOB, FakeRunner(), host=replace(cron, crontab=False))
    assert "package cron" in caught.value.hint
    with pytest.raises(OpsError, match="only root") as caught:
        scheduler.install(JOB, FakeRunner(), host=replace(systemd, root=False))
    assert "sudo" in caught.value.hint


def test_a_user_does_not_double_the_timer_of_root(systemd: Host) -> None:
    scheduler.install(JOB, FakeRunner(), host=systemd)
    user = replace(systemd, root=False, crontab=True)
    runner = Crontab()
    with pytest.raises(OpsError, match="only root"):
        scheduler.install(JOB, runner, host=user)
    with pytest.raises(OpsError, match="only root"):
        scheduler.remove(JOB.name, runner, host=user)
    assert runner.kept is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "a b"},
        {"name": "a\n"},
        {"argv": ("inv",)},
        {"argv": ()},
        {"argv": ("/inv", "a\nb")},
        {"folder": Path("here")},
        {"folder": Path("/a\nExecStart=/b")},
        {"hours": ()},
        {"hours": (24,)},
        {"every": 5},
        {"hours": (), "every": 7},
    ],
)
def test_a_job_that_no_scheduler_could_run_is_refused(wrong: dict[str, object]) -> None:
    values = {**JOB.__dict__, **wrong}
    with pytest.raises(ValueError):
        ScheduledJob(**values)


def test_every_name_that_compose_allows_a_project_can_name_its_job() -> None:
    assert replace(JOB, name="my_shop-2-renew-tls").name == "my_shop-2-renew-tls"


def test_a_job_of_every_few_minutes_keeps_its_own(cron: Host, systemd: Host) -> None:
    often = replace(JOB, hours=(), every=20, silent=True)
    assert cron_line(often, 47).startswith("7,27,47 * * * * cd ")
    assert cron_line(often, 47).endswith(" >/dev/null # ipai-platform-renew-tls")
    assert cron_line(replace(often, every=60), 47).startswith("47 * * * * ")
    runner = Crontab()
    scheduler.install(often, runner, host=cron)
    first = runner.kept
    scheduler.install(often, runner, host=cron)
    assert runner.kept == first
    for _ in range(3):
        scheduler.install(often, FakeRunner(), host=systemd)
    (timer,) = (systemd.units / f"{JOB.name}.timer").read_text().split("[Timer]\n")[1:]
    (minute,) = re.findall(r"^OnCalendar=\*-\*-\* \*:(\d\d)/20:00\nAccuracySec=10s\n\n", timer)
    assert int(minute) < 20
    assert timer_unit(replace(often, every=60), 47).count("OnCalendar=*-*-* *:47:00\n") == 1
    assert "StandardOutput=null\n" in service_unit(often)
    assert "StandardOutput" not in service_unit(JOB)
