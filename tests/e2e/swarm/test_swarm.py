"""The platform on two machines: what is planned, and what is not, while somebody works."""

import pytest

from tests.e2e.support.swarm_nodes import Machine
from tests.e2e.swarm.conftest import Swarm
from tests.support.waiting import eventually

pytestmark = [pytest.mark.soak, pytest.mark.xdist_group("swarm")]

_BROKEN = "\nraise SystemExit('broken')\n"
_COUNT = """
env["ir.cron"].create({
    "name": "count", "state": "code", "model_id": env.ref("base.model_res_partner").id,
    "code": "env.cr.execute('INSERT INTO counted DEFAULT VALUES')",
    "interval_number": 1, "interval_type": "minutes",
})
env.cr.commit()
"""
_ATTACH = """
env["ir.attachment"].create({"name": "shared.bin", "raw": b"of one node" * 1000})
env.cr.commit()
"""


def _machine(swarm: Swarm, name: str) -> Machine:
    return next(one for one in (swarm.manager, swarm.other) if one.name == name)


def _count(swarm: Swarm) -> int:
    return int(swarm.sql("SELECT count(*) FROM counted"))


def test_each_machine_has_a_part(swarm: Swarm) -> None:
    assert swarm.nodes_of("odoo") == [swarm.manager.name, swarm.other.name]
    assert swarm.nodes_of("odoo_db") == swarm.nodes_of("redis") == [swarm.manager.name]
    assert all(service["settled"] for service in swarm.status()["services"])
    # It may be said again.
    assert "in a swarm already" in swarm.inv("swarm.init")


def test_an_attachment_of_one_node_is_read_on_the_other(swarm: Swarm) -> None:
    swarm.odoo(swarm.manager, "odoo", _ATTACH)
    name = swarm.sql("SELECT store_fname FROM ir_attachment WHERE name = 'shared.bin'")
    path = f"/var/lib/odoo/filestore/odoo/{name}"
    read = swarm.other.docker("exec", swarm.container(swarm.other, "odoo"), "cat", path)
    assert read == "of one node" * 1000


def test_scheduled_actions_begin(swarm: Swarm) -> None:
    swarm.sql("CREATE TABLE counted (at timestamptz NOT NULL DEFAULT clock_timestamp())")
    swarm.sql("GRANT ALL ON counted TO odoo")
    (name,) = swarm.nodes_of("odoo_cron")
    swarm.odoo(_machine(swarm, name), "odoo_cron", _COUNT)
    assert eventually(lambda: _count(swarm) > 0, 120)


def test_an_update_fails_no_request_and_can_be_rolled_back(swarm: Swarm) -> None:
    settings = swarm.platform.root / ".env"
    before = settings.read_text()
    settings.write_text(f"{before}ODOO_DB_MAXCONN=7\n")
    with swarm.visitor as visitor:
        swarm.inv("swarm.deploy", "--loaded")
        assert "ODOO_DB_MAXCONN" not in before and _maxconn(swarm) == "7"
        swarm.inv("swarm.rollback")
        assert _maxconn(swarm) == "8"
    assert visitor.asked > 50 and not visitor.failed
    settings.write_text(before)
    # Rolled back, the services are as the files say: nothing is updated.
    running = swarm.container(swarm.manager, "odoo")
    swarm.inv("swarm.deploy", "--loaded")
    assert swarm.container(swarm.manager, "odoo") == running


def _maxconn(swarm: Swarm) -> str:
    container = swarm.container(swarm.manager, "odoo")
    words = ["sh", "-c", "printf %s $PLATFORM_DB_MAXCONN"]
    return swarm.manager.docker("exec", container, *words)


def test_a_bad_image_goes_back_by_itself(swarm: Swarm) -> None:
    module = swarm.platform.root / "odoo/addons/session_redis/__init__.py"
    good = module.read_text()
    image = {one["name"]: one["image"] for one in swarm.status()["services"]}["odoo"]
    module.write_text(good + _BROKEN)
    with swarm.visitor as visitor:
        done = swarm.deploy()
    module.write_text(good)
    assert done.returncode == 1 and "the one before runs again" in done.stderr, done.stderr
    assert visitor.asked > 50 and not visitor.failed
    assert {one["name"]: one["image"] for one in swarm.status()["services"]}["odoo"] == image
    swarm.inv("swarm.deploy", "--loaded")


def test_a_backup_is_made_where_the_database_is(swarm: Swarm) -> None:
    assert '"id"' in swarm.inv("swarm.backup", "--json")
    assert (swarm.platform.root / "backups" / "snapshots").is_dir()


def test_a_node_is_drained_and_brought_back(swarm: Swarm) -> None:
    with swarm.visitor as visitor:
        swarm.inv("swarm.drain", swarm.other.name)
        assert swarm.nodes_of("odoo") == [swarm.manager.name] * 2
        swarm.inv("swarm.drain", swarm.other.name, "--back")
    assert swarm.nodes_of("odoo") == [swarm.manager.name, swarm.other.name]
    assert visitor.asked > 50 and not visitor.failed
    refused = swarm.platform.inv("swarm.drain", swarm.manager.name)
    assert refused.returncode == 1 and "PostgreSQL and Redis stop" in refused.stderr


def test_a_manager_is_restarted(swarm: Swarm) -> None:
    swarm.manager.kill()
    swarm.manager.start()
    assert eventually(lambda: not swarm.visitor.is_known(), 180)
    assert eventually(lambda: all(s["settled"] for s in swarm.status()["services"]), 180)


def test_a_login_survives_the_death_of_a_node(swarm: Swarm) -> None:
    with swarm.visitor as visitor:
        swarm.other.off()
        assert eventually(lambda: swarm.nodes_of("odoo_cron") == [swarm.manager.name], 180)
        assert eventually(lambda: swarm.nodes_of("odoo") == [swarm.manager.name] * 2, 180)
    assert not swarm.visitor.is_known()
    # Those that were under way at it, and no more.
    assert len(visitor.failed) <= 5, visitor.failed
    (away,) = [one for one in swarm.status()["nodes"] if one["name"] == swarm.other.name]
    assert away["state"] == "down"


def test_scheduled_actions_were_run_once_each(swarm: Swarm) -> None:
    before = _count(swarm)
    assert eventually(lambda: _count(swarm) > before, 180)
    # They are a minute apart; what was late runs once, and on the next minute again.
    twice = "SELECT count(*) FROM counted a JOIN counted b ON b.at > a.at AND b.at < a.at"
    assert swarm.sql(f"{twice} + interval '1 second'") == "0"
    minutes = int(swarm.sql("SELECT ceil(extract(epoch FROM max(at) - min(at)) / 60) FROM counted"))
    assert _count(swarm) <= minutes + 1
