"""A line is of this project's own containers, and says where it cannot tell."""

from pathlib import Path

import pytest

from scripts.core.checks import Status
from scripts.core.errors import OpsError
from tests.unit.support.fakes import says
from tests.unit.support.health import (
    NAMES,
    REDIS,
    ROOM,
    Site,
    bad,
    containers_are,
    report,
)


@pytest.mark.parametrize(
    ("states", "port", "said"),
    [
        ({"nginx": "exited"}, 80, "nginx is not running"),
        ({"nginx": "paused"}, 80, "nginx is paused"),
        ({"nginx": "restarting"}, 80, "nginx keeps restarting"),
        ({}, 8080, "its container is not reached at port 80 of this machine"),
    ],
)
def test_what_answers_at_the_port_counts_only_if_it_is_this_platforms_nginx(
    tmp_path: Path, site: Site, states: dict[str, str], port: int, said: str
) -> None:
    rows = report(tmp_path, answers={"docker ps": containers_are(port=port, **states)})
    assert list(bad(rows)) == ["Nginx", "Odoo (proxy)"]
    assert {rows["Nginx"].detail, rows["Odoo (proxy)"].detail} == {said}
    assert rows["Nginx"].status is Status.FAILED


def test_without_an_engine_nothing_can_be_told(tmp_path: Path, site: Site) -> None:
    rows = report(tmp_path, answers={"docker ps": OpsError("it is not running")})
    assert {rows[name].status for name in NAMES} == {Status.UNKNOWN}
    assert rows["Nginx"].detail == "the Docker engine cannot be asked: it is not running"


@pytest.mark.parametrize(
    ("lines", "status", "said"),
    [
        ("aof_last_write_status:err", Status.FAILED, "cannot write its file"),
        ("aof_last_bgrewrite_status:err", Status.WARNING, "could not make its file shorter"),
        ("evicted_keys:3", Status.WARNING, "threw sessions away"),
        ("aof_last_write_status:ok\nevicted_keys:0", Status.OK, ""),
    ],
)
def test_redis_tells_of_its_file_and_of_what_it_threw_away(
    tmp_path: Path, site: Site, lines: str, status: Status, said: str
) -> None:
    told = f"room {ROOM}\nclock 1.5\nMemTotal: 9 kB\nOK\nused_memory:1\n{lines}\n"
    row = report(tmp_path, answers={REDIS: says(told)})["Redis"]
    assert row.status is status and said in row.detail
