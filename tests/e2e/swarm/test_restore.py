"""Backups and moments brought back on the platform of two machines."""

import pytest

from tests.e2e.swarm.conftest import Swarm
from tests.support.waiting import eventually

pytestmark = [pytest.mark.soak, pytest.mark.xdist_group("swarm")]


def _notes(swarm: Swarm) -> str:
    return swarm.sql("SELECT string_agg(text, ',' ORDER BY text) FROM notes")


def _note(swarm: Swarm, text: str) -> None:
    swarm.sql(f"INSERT INTO notes VALUES ('{text}')")


def test_a_backup_is_brought_back_and_that_is_undone(swarm: Swarm) -> None:
    swarm.sql("CREATE TABLE notes (text varchar)")
    swarm.sql("ALTER TABLE notes OWNER TO odoo")
    _note(swarm, "saved")
    swarm.inv("swarm.backup")
    _note(swarm, "since")
    done = swarm.inv("swarm.restore", "latest", "--yes")
    assert "inv swarm.restore --undo" in done
    assert _notes(swarm) == "saved"
    assert not swarm.visitor.is_known()  # no complaint: the login goes on
    assert len(swarm.nodes_of("odoo")) == 2 and len(swarm.nodes_of("odoo_cron")) == 1
    swarm.inv("swarm.restore", "--undo", "--yes")
    assert _notes(swarm) == "saved,since"
    assert not swarm.visitor.is_known()


def test_a_moment_is_brought_back(swarm: Swarm) -> None:
    moment = swarm.sql("SELECT to_char(clock_timestamp(), 'YYYY-MM-DD HH24:MI:SS.US+00:00')")
    _note(swarm, "too late")
    swarm.sql("SELECT pg_switch_wal()")

    def restored() -> bool:
        return swarm.platform.inv("swarm.restore", "--at", moment, "--yes").returncode == 0

    assert eventually(restored, 300), swarm.platform.inv("swarm.restore", "--at", moment).stderr
    assert _notes(swarm) == "saved,since"
    assert not swarm.visitor.is_known()


def test_what_cannot_be_restored_stops_nobody(swarm: Swarm) -> None:
    before = swarm.container(swarm.manager, "odoo")
    refused = swarm.platform.inv("swarm.restore", "20000101-000000-none", "--yes")
    assert refused.returncode == 1 and "20000101" in refused.stderr, refused.stderr
    early = swarm.platform.inv("swarm.restore", "--at", "2020-01-01 00:00", "--yes")
    assert early.returncode == 2, early.stderr
    assert "before the first moment" in early.stderr
    assert swarm.container(swarm.manager, "odoo") == before


def test_compose_does_not_start_beside_it(swarm: Swarm) -> None:
    refused = swarm.platform.inv("up")
    assert refused.returncode == 1
    assert "Docker Swarm runs this platform here" in refused.stderr
