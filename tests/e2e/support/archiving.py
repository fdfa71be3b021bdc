"""What tests of continuous archiving ask of a platform."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.e2e.support.checkout import Checkout
from tests.support.waiting import eventually


def status(platform: Checkout) -> dict[str, Any]:
    """What the archiver has written; nothing before it has."""
    done = platform.inv("backup.archive", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout) or {}
    return found


def containers_log(platform: Checkout) -> str:
    """What the archiver has said."""
    done = platform.run("docker", "logs", "--tail", "20", f"{platform.project}-archiver-1")
    return done.stdout + done.stderr


def await_status(
    platform: Checkout, condition: Callable[[dict[str, Any]], bool], seconds: float = 90
) -> dict[str, Any]:
    """The first status that meets the condition."""

    def look() -> dict[str, Any]:
        found = status(platform)
        return found if found and condition(found) else {}

    found = eventually(look, seconds, interval=3.0)
    assert found, f"{status(platform)}\n{containers_log(platform)}"
    return found


def stamp(seconds: float) -> str:
    """A moment as `--at` takes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ", timespec="microseconds")


def restored(platform: Checkout, moment: float | str, name: str = "past") -> dict[str, Any]:
    """The database of that moment as `name`."""
    at = moment if isinstance(moment, str) else stamp(moment)
    done = platform.inv("restore", "--at", at, "--to-database", name, "--yes", "--json")
    assert done.returncode == 0, done.stderr + containers_log(platform)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def switch(platform: Checkout) -> None:
    """Have PostgreSQL close a segment that has something in it."""
    platform.sql(
        "CREATE TABLE IF NOT EXISTS filler AS SELECT 1 AS n; INSERT INTO filler VALUES (2)"
    )
    psql = ["psql", "-U", "postgres", "-d", "odoo", "-tAc", "SELECT pg_switch_wal()"]
    assert platform.exec("odoo_db", *psql).returncode == 0
