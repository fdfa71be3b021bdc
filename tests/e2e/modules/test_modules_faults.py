"""What goes wrong with modules: it is said, and everything is as it was before."""

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.e2e.support.checkout import eventually
from tests.e2e.support.workshop import MODEL, PARTNER, Workshop

pytestmark = pytest.mark.xdist_group("modules_faults")

BROKEN = PARTNER.format(field="nonsense", value="x")
SLEEP = """\
<odoo><function model="res.partner" name="zz_wait"/></odoo>
"""
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN); "
SLEEPER = """\
import signal
import time

from odoo import api, models


class Partner(models.Model):
    _inherit = "res.partner"

    @api.model
    def zz_wait(self):
        self.create({"name": "zz_half"})
        self.env.cr.commit()
        time.sleep(120)
"""


@pytest.fixture
def shop(workshop: Workshop) -> Iterator[Workshop]:
    """A platform that has to be unharmed by the test."""
    try:
        with workshop.unharmed(known=True):
            yield workshop
        workshop.forget_modules()
    except BaseException:
        workshop.clean()
        raise


def begin(shop: Workshop, *arguments: str, stubborn: bool = False) -> subprocess.Popen[str]:
    """A change that has written half of what it writes, and waits.

    A stubborn one does not end when it is asked to.
    """
    code = SLEEPER.replace("time.sleep", f"{DEAF}time.sleep") if stubborn else SLEEPER
    shop.write("zz_slow", {"__init__.py": code, "data.xml": SLEEP})
    running = shop.platform.start("./scripts/inv", "module.install", *(arguments or ("zz_slow",)))
    assert eventually(lambda: shop.partners("zz_half"), 120), running.communicate(timeout=5)
    return running


def container(shop: Workshop) -> str:
    """The one that works on modules."""
    label = f"label=com.docker.compose.project={shop.platform.project}"
    oneoff = "label=com.docker.compose.oneoff=True"
    ids = shop.platform.run("docker", "ps", "-q", "--filter", label, "--filter", oneoff)
    return ids.stdout.strip()


def gone(shop: Workshop) -> bool:
    """Whether whatever was begun has ended, and nothing of it is left."""
    return not container(shop) and not shop.partners("zz_half") and (
        not [name for name in shop.databases() if "__" in name]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("manifest", "reason", "hint"),
    [
        ({"depends": ["zz_nowhere"]}, "needs the module 'zz_nowhere'", "odoo/addons"),
        ({"external_dependencies": {"python": ["zz-nothing"]}}, "'zz-nothing'", "requirements"),
        ({"external_dependencies": {"bin": ["zz-nothing"]}}, "the program 'zz-nothing'", ""),
        ({"installable": False}, "cannot be installed", "__manifest__.py"),
        ({"version": "17.0.1.0.0"}, "cannot be installed", "names another version"),
    ],
)
def test_what_cannot_be_installed_is_refused_before_anything_is_touched(
    shop: Workshop, manifest: dict[str, object], reason: str, hint: str
) -> None:
    shop.write("zz_one", {}, **manifest)
    said = shop.refused("module.install", "zz_one")
    assert reason in said and hint in said


def test_an_odd_manifest_hides_no_other_module(shop: Workshop) -> None:
    shop.write("zz_one", {}, external_dependencies=["x"])
    shop.write("zz_two", {}, external_dependencies={"python": None}, depends="base")
    (shop.write("zz_three", {}) / "__manifest__.py").write_text("{[]: 1}\n")
    assert {"zz_one", "zz_two", "zz_three", "base"} <= shop.modules().keys()
    assert "cannot be installed" in shop.refused("module.install", "zz_three")


@pytest.mark.parametrize("name", ["x" * 63, "x" * 51, "odoo__s1234567890"])
def test_a_database_that_is_called_like_a_copy_is_left_alone(shop: Workshop, name: str) -> None:
    shop.platform.sql(f"CREATE DATABASE {name} OWNER odoo", "postgres")
    try:
        assert "cannot have snapshots" in shop.refused("module.prune", "--database", name)
        assert name in shop.databases()
    finally:
        shop.platform.sql(f"DROP DATABASE IF EXISTS {name}", "postgres")


def test_a_name_that_is_not_there_gets_a_suggestion(shop: Workshop) -> None:
    said = shop.refused("module.install", "sale_managment")
    assert "no module 'sale_managment'" in said and "Did you mean sale_management" in said
    assert "not installed" in shop.refused("module.update", "crm")
    assert "not installed" in shop.refused("module.uninstall", "crm")
    assert "does not work without base" in shop.refused("module.uninstall", "base")
    done = shop.platform.inv("module.install", "sale;drop")
    assert done.returncode == 2 and "not the name of a module" in done.stderr


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"__init__.py": "import nothing_like_it\n"}, "No module named 'nothing_like_it'"),
        ({"__init__.py": "x = == 1\n"}, "SyntaxError"),
        ({"data.xml": BROKEN}, "nonsense"),
        ({"data.xml": "<odoo><record"}, "data.xml"),
    ],
)
def test_a_broken_module_is_undone_and_the_reason_is_in_the_last_lines(
    shop: Workshop, files: dict[str, str], reason: str
) -> None:
    shop.write("zz_bad", files)
    said = shop.refused("module.install", "zz_bad")
    assert reason in "\n".join(said.splitlines()[-6:])
    assert "hint: What was there before is there again." in said


def test_a_failure_in_the_middle_undoes_the_good_one_too(shop: Workshop) -> None:
    shop.write("zz_good")
    shop.write("zz_later", {"data.xml": BROKEN}, depends=["zz_good"])
    assert "nonsense" in shop.refused("module.install", "zz_good,zz_later")
    assert shop.partners("zz_good") == 0


def test_data_that_fail_on_an_update_only(workshop: Workshop) -> None:
    workshop.write("zz_one", {"__init__.py": MODEL.format(name="one", value="a")})
    workshop.inv("module.install", "zz_one")
    workshop.inv("module.prune", "--keep", "0")
    once = '<odoo><function model="res.partner" name="zz_fail"/></odoo>'
    for files in (
        {"__init__.py": MODEL.format(name="two", value="b"), "data.xml": once},
        {"__init__.py": "1 / 0\n"},
    ):
        with workshop.unharmed():
            workshop.write("zz_one", files)
            said = workshop.refused("module.update")
            assert "zz_fail" in said or "ZeroDivisionError" in said
    workshop.write("zz_one", {"__init__.py": MODEL.format(name="one", value="a")})
    workshop.clean()


def test_the_container_is_killed_half_way(shop: Workshop) -> None:
    running = begin(shop)
    assert shop.platform.get("/web/login") == 503  # nobody writes what would be lost
    shop.platform.run("docker", "kill", container(shop))
    _, said = running.communicate(timeout=120)
    assert running.returncode == 1 and "was killed" in said
    assert gone(shop)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_inv_is_ended_half_way(shop: Workshop, number: signal.Signals) -> None:
    # A shell has what it starts in the background ignore SIGINT, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    running = begin(shop)
    os.kill(running.pid, number)
    running.communicate(timeout=120)
    assert running.returncode != 0
    assert eventually(lambda: gone(shop), 60)
    assert eventually(lambda: shop.platform.get("/web/login") == 200, 30)


def test_a_client_that_dies_is_waited_for_by_nobody_but_us(shop: Workshop) -> None:
    """The container goes on without it, and undoes what it has begun by itself."""
    running = begin(shop, stubborn=True)
    words = f"project-directory {shop.platform.root} .*odoo_modules change"
    for pid in shop.platform.run("pgrep", "-f", words).stdout.split():
        os.kill(int(pid), signal.SIGKILL)
    _, said = running.communicate(timeout=120)
    assert running.returncode == 1 and "that failed" not in said, said
    assert not shop.partners("zz_half")
    assert eventually(lambda: gone(shop), 30)  # the container ends a moment later


def test_of_two_at_once_the_second_is_told_of_the_first(shop: Workshop) -> None:
    running = begin(shop)
    said = shop.refused("module.update", "web")
    assert "`inv module.install` (process" in said and "is still running" in said
    assert "`inv module`" in shop.refused("backup")  # which would see half of it
    assert "`inv module.install`" in shop.refused("down")  # which would take the database away
    running.terminate()
    running.communicate(timeout=120)
    assert eventually(lambda: gone(shop), 60)


def test_somebody_who_does_not_leave_is_named(shop: Workshop) -> None:
    shop.write("zz_one")
    with shop.in_the_way("res_partner", "SHARE"):
        said = shop.refused("module.install", "zz_one", "--max-lock-wait", "2")
    assert "psql (process" in said and "LOCK TABLE res_partner" in said
    assert "--max-lock-wait" in said


def test_a_lock_is_waited_for_and_its_holder_reported(shop: Workshop) -> None:
    shop.write("zz_one", {"__init__.py": MODEL.format(name="one", value="a")})
    with shop.in_the_way("res_partner", "ACCESS SHARE"):
        words = ["zz_one", "--no-snapshot", "--max-lock-wait", "8"]
        said = shop.refused("module.install", *words)
    assert "waiting for a lock that is held by psql (process" in said
    assert "lock timeout" in said


def test_an_odoo_that_does_not_come_back_gets_its_database_back(workshop: Workshop) -> None:
    workshop.write("zz_one", {"__init__.py": MODEL.format(name="one", value="a")})
    workshop.inv("module.install", "zz_one")
    workshop.inv("module.prune", "--keep", "0")
    before = workshop.everything()
    served = "import sys\n\nif '--stop-after-init' not in sys.argv:\n    raise RuntimeError('zz')\n"
    workshop.write("zz_one", {"__init__.py": served})
    said = workshop.refused("module.update")
    assert "Odoo does not work" in said and "What was there before is there again" in said
    assert workshop.everything()[0] == before[0]
    workshop.write("zz_one", {"__init__.py": MODEL.format(name="one", value="a")})
    workshop.inv("restart", "--service", "odoo")
    assert workshop.platform.get("/web/login") == 200
    workshop.clean()


def test_what_died_with_everybody_is_told_to_the_next(workshop: Workshop) -> None:
    before = workshop.everything()
    running = begin(workshop)
    victim = container(workshop)
    workshop.platform.run("docker", "pause", victim)  # so that it cannot undo what it has begun
    os.kill(running.pid, signal.SIGKILL)
    running.communicate(timeout=60)
    workshop.platform.run("docker", "kill", victim)
    assert eventually(lambda: not container(workshop), 30)
    said = workshop.refused("module.update")
    assert "`install zz_slow`" in said and "was interrupted" in said
    workshop.inv("module.rollback", "--yes")
    workshop.inv("module.prune", "--keep", "0")
    assert gone(workshop)
    assert workshop.everything() == before
    workshop.clean()


def test_a_snapshot_that_finds_no_room_is_not_begun(shop: Workshop) -> None:
    shop.write("zz_one")
    data = "/var/lib/postgresql/data"
    free = f"$(df --output=avail -B1 {data} | tail -1)"
    as_server = ["exec", "-T", "--user", "postgres", "odoo_db", "sh", "-c"]
    fill = f"head -c $(({free} - 20000000)) /dev/zero >{data}/fill"
    assert shop.platform.compose(*as_server, fill).returncode == 0
    try:
        said = shop.refused("module.install", "zz_one")
    finally:
        shop.platform.compose(*as_server, f"rm {data}/fill")
    assert "PostgreSQL's volume has no room for a copy of 'odoo'" in said
    assert "inv module.prune" in said
