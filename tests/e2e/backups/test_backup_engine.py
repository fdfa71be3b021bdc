"""The Docker engine is killed in the middle of a backup."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.support import images
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.odoo_data import OdooData
from tests.e2e.support.second_engine import SecondEngine
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("backup_faults")

_FOR_BACKUPS = ("POSTGRES_IMAGE", "BACKUP_IMAGE")


def test_a_killed_engine(odoo_data: OdooData, fresh: Checkout, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("an engine that may be killed can be started by root only")
    with SecondEngine(tmp_path / "engine") as engine:
        engine.take(*(images.in_use(fresh)[name] for name in _FOR_BACKUPS))
        moved = OdooData(replace(fresh, variables={"DOCKER_HOST": engine.host}))
        _move(odoo_data, moved)
        moved.back_up()
        before, still = moved.backups(), moved.still()
        with moved.table_locked("ledger", "ACCESS EXCLUSIVE"):
            running = moved.platform.start("./scripts/inv", "backup")
            assert eventually(lambda: moved.process("pg_dump"), 60)
            engine.kill()
            out, err = running.communicate(timeout=120)
            assert running.returncode == 1 and out == ""
            assert "\nerror: " in f"\n{err}" and "Traceback" not in err, err
            engine.start()
        assert (moved.backups(), moved.still()) == (before, still)
        done = moved.platform.inv("backup.check", "--data")
        assert done.returncode == 0, done.stderr
        moved.back_up()
        assert len(moved.backups()) == len(before) + 1


def _move(odoo_data: OdooData, to: OdooData) -> None:
    """Start PostgreSQL alone elsewhere, and copy the database and the filestore into it."""
    made = to.platform.compose("create", "odoo_db", "backup")
    assert made.returncode == 0, made.stderr
    assert to.platform.compose("up", "--detach", "--wait", "odoo_db").returncode == 0
    to.platform.sql("CREATE DATABASE odoo TEMPLATE template0", "postgres")
    dump = odoo_data.platform.exec("odoo_db", "pg_dump", "-U", "odoo", "odoo")
    psql = ["psql", "-q", "-U", "odoo", "-d", "odoo", "-v", "ON_ERROR_STOP=1"]
    fill = ["docker", "compose", "exec", "-T", "odoo_db", *psql]
    env = to.platform.environment()
    subprocess.run(
        fill,
        cwd=to.platform.root,
        env=env,
        input=dump.stdout,
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    source, target = odoo_data.path("").parent.parent, to.path("").parent.parent
    assert to.platform.run("cp", "-a", f"{source}/.", str(target)).returncode == 0
