"""From when on a volume is called full, on disks of all sizes."""

import subprocess
from pathlib import Path

import pytest

from scripts.core.checks import Status
from scripts.health import volumes
from scripts.health.volumes import Room

_MIB, _GIB = 1024**2, 1024**3


@pytest.mark.parametrize(
    ("total", "free", "status"),
    [
        (1000 * _GIB, 6 * _GIB, Status.OK),
        (1000 * _GIB, 4 * _GIB, Status.WARNING),
        (1000 * _GIB, 200 * _MIB, Status.FAILED),
        (20 * _GIB, 3 * _GIB, Status.OK),
        (20 * _GIB, 1 * _GIB, Status.WARNING),
        (20 * _GIB, 200 * _MIB, Status.FAILED),
        (300 * _MIB, 80 * _MIB, Status.OK),
        (300 * _MIB, 60 * _MIB, Status.WARNING),
        (300 * _MIB, 29 * _MIB, Status.FAILED),  # PostgreSQL takes 16 at a time
        (2 * _MIB, 1 * _MIB, Status.OK),
        (2 * _MIB, 0, Status.FAILED),
        (0, 0, Status.OK),  # not a disk
    ],
)
def test_bytes(total: int, free: int, status: Status) -> None:
    assert Room(1, total, free).status is status


@pytest.mark.parametrize(
    ("inodes", "free", "status"),
    [
        (0, 0, Status.OK),  # as many as there is room for: btrfs
        (16_000_000, 200_000, Status.OK),
        (16_000_000, 90_000, Status.WARNING),
        (16_000_000, 900, Status.FAILED),
        (6000, 400, Status.OK),
        (6000, 200, Status.WARNING),
        (6000, 100, Status.FAILED),
    ],
)
def test_inodes(inodes: int, free: int, status: Status) -> None:
    room = Room(1, 100 * _GIB, 90 * _GIB, inodes, free)
    assert room.status is status
    if status is not Status.OK:
        assert volumes.finding({"odoo_data": room}).detail == (
            f"odoo_data: {free} of {inodes} inodes are free"
        )


def test_volumes_of_one_disk_are_one_problem_and_all_are_named() -> None:
    big, small = Room(1, 40 * _GIB, 2 * _GIB), Room(2, 100 * _MIB, 0)
    rooms = {"odoo_data": big, "redis_data": small, "odoo_db_data": big}
    found = volumes.finding(rooms)
    assert found.status is Status.FAILED
    assert found.detail == "redis_data: 0 MiB of 100 MiB are free"
    del rooms["redis_data"]
    found = volumes.finding(rooms)
    assert found.status is Status.WARNING
    assert found.detail == "odoo_data, odoo_db_data: 2.0 GiB of 40 GiB are free"


def test_a_folder_and_a_container_on_one_disk_are_seen_to_be(tmp_path: Path) -> None:
    stat = ["stat", "-f", "-c", volumes.FORMAT, str(tmp_path)]
    done = subprocess.run(stat, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this machine has another `stat` than the containers")
    inside, outside = Room.parse(done.stdout), Room.of_folder(tmp_path)
    assert (inside.identity, inside.total) == (outside.identity, outside.total)
    assert inside.inodes == outside.inodes
