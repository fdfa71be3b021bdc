"""Containers, settings, memory and clock; and the names of all checks."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scripts import checkup
from scripts.core import check_names
from scripts.core.checks import Result, Status, run_all
from scripts.core.completed import Completed
from scripts.core.errors import UsageError
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeRunner, says, settings_in
from tests.unit.support.health import NGINX, REDIS, ROOM, WELL, Site

_FILES = "com.docker.compose.project.config_files"


def _row(folder: Path, service: str, **more: Any) -> dict[str, Any]:
    labels = f"com.docker.compose.config-hash={service}1,{_FILES}={folder}/compose.yaml"
    ports = [{"PublishedPort": 80, "TargetPort": 80}]
    row = {"Service": service, "Name": service, "State": "running", "Publishers": ports}
    return {**row, "Labels": labels, **more}


def _rows(folder: Path, *containers: dict[str, Any], **answers: Completed) -> dict[str, Result]:
    known = {**WELL, "docker ps": says("\n".join(map(json.dumps, containers))), **answers}
    (folder / "postgres").mkdir(exist_ok=True)
    (folder / "postgres" / "health").write_text("")
    stack = Stack(settings_in(folder), FakeRunner(known))
    return {row.name: row for row in run_all(checkup.checks(stack, 4))}


def _ago(since: timedelta) -> str:
    return (datetime.now(UTC) - since).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        ({"RestartCount": 2, "StartedAt": timedelta(hours=2)}, Status.OK, ""),
        ({"RestartCount": 0, "StartedAt": timedelta(minutes=2)}, Status.OK, ""),
        ({"State": "exited"}, Status.OK, ""),
        ({"RestartCount": 2, "StartedAt": timedelta(minutes=9)}, Status.WARNING,
         "redis ended and was started again, 2 times, the last 9 min ago"),
        ({"OOMKilled": True, "StartedAt": timedelta(minutes=9)}, Status.WARNING,
         "redis ran out of memory"),
        ({"OOMKilled": True, "StartedAt": timedelta(hours=2)}, Status.OK, ""),
        ({"State": "restarting"}, Status.FAILED, "redis keeps restarting"),
    ],
)  # fmt: skip
def test_what_the_engine_did_with_a_container_is_told(
    tmp_path: Path, site: Site, more: dict[str, Any], status: Status, said: str
) -> None:
    more = {key: _ago(value) if key == "StartedAt" else value for key, value in more.items()}
    row = _rows(tmp_path, _row(tmp_path, "nginx"), _row(tmp_path, "redis", **more))["Containers"]
    assert row.status is status and said in row.detail
    assert status is not Status.WARNING or "REDIS_MEMORY" in row.hint or "inv logs" in row.hint


def test_a_process_that_the_kernel_killed_is_told_by_the_container(
    tmp_path: Path, site: Site
) -> None:
    for count, status in ((0, Status.OK), (1, Status.WARNING)):
        said = {NGINX: says(f"room {ROOM}\noom_kill {count}\n")}
        row = _rows(tmp_path, _row(tmp_path, "nginx"), **said)["Containers"]
        assert row.status is status
    assert "raise NGINX_MEMORY in .env" in row.hint


@pytest.mark.parametrize(
    ("hashes", "status", "said"),
    [
        ("nginx nginx1\nredis redis1\n", Status.OK, ""),
        ("nginx nginx1\nredis redis2\n", Status.WARNING, ": redis"),
        ("nginx nginx1\n", Status.WARNING, ": redis"),  # no service any more
    ],
)
def test_settings_that_differ_from_those_of_the_containers_ask_for_inv_up(
    tmp_path: Path, site: Site, hashes: str, status: Status, said: str
) -> None:
    containers = [_row(tmp_path, name) for name in ("nginx", "redis")]
    config = {"docker compose --profile * config --hash *": says(hashes)}
    row = _rows(tmp_path, *containers, **config)["Settings"]
    assert row.status is status and row.detail.endswith(said)
    assert (row.hint == "inv up") == (status is Status.WARNING)


def test_containers_of_somebody_elses_compose_files_have_no_line_settings(
    tmp_path: Path, site: Site
) -> None:
    labels = (
        f"com.docker.compose.config-hash=x,{_FILES}={tmp_path}/compose.yaml,/elsewhere/own.yaml"
    )
    assert "Settings" not in _rows(tmp_path, _row(tmp_path, "nginx", Labels=labels))


@pytest.mark.parametrize(
    ("available", "status"), [(60, Status.OK), (40, Status.WARNING), (10, Status.FAILED)]
)
def test_memory(tmp_path: Path, site: Site, available: int, status: Status) -> None:
    said = f"room {ROOM}\nclock {time.time()}\nMemTotal: 1000 kB\nMemAvailable: {available} kB\n"
    row = _rows(tmp_path, _row(tmp_path, "nginx"), **{NGINX: says(said)})["Memory"]
    assert row.status is status


@pytest.mark.parametrize(
    ("skew", "status"),
    [(0, Status.OK), (-9, Status.WARNING), (-99, Status.FAILED), (99, Status.FAILED)],
)
def test_the_clock_by_redis_where_nginx_does_not_tell(
    tmp_path: Path, site: Site, skew: float, status: Status
) -> None:
    said = f"clock {time.time() + skew}\nMemTotal: 9 kB\nMemAvailable: 9 kB\nOK\n"
    containers = [_row(tmp_path, name) for name in ("nginx", "redis")]
    assert _rows(tmp_path, *containers, **{REDIS: says(said)})["Clock"].status is status


def test_every_check_has_a_name_to_choose_it_by(tmp_path: Path, site: Site) -> None:
    checks = checkup.checks(Stack(settings_in(tmp_path), FakeRunner()), 4)
    assert tuple(check.name for check in checks) == check_names.NAMES
    assert {
        check.name for check in checkup.brief(Stack(settings_in(tmp_path), FakeRunner()))
    } < set(check_names.NAMES)


def test_checks_are_chosen_by_words_and_what_is_none_is_refused() -> None:
    assert check_names.chosen("odoo-proxy, Redis,PDF reports") == {
        "Odoo (proxy)", "Redis", "PDF reports",
    }  # fmt: skip
    assert check_names.chosen("") == set(check_names.NAMES)
    with pytest.raises(UsageError) as caught:
        check_names.chosen("redis,lock")
    assert (caught.value.message, caught.value.hint) == (
        "there is no check 'lock'",
        "Did you mean: locks",
    )
    with pytest.raises(UsageError):
        next(checkup.look(Stack(settings_in(Path("/x")), FakeRunner()), watch=-1))
