"""What somebody who writes a module sees after saving a file."""

import re
import time

import pytest

from tests.e2e.support.checkout import Checkout
from tests.e2e.support.probe import RELOAD_SECONDS, Probe
from tests.support.waiting import BUSY, eventually


@pytest.fixture(scope="module")
def probe(platform: Checkout) -> Probe:
    probe = Probe(platform)
    probe.install()
    return probe


def test_python_code_is_loaded_soon_after_it_was_saved(probe: Probe) -> None:
    container = probe.platform.inspect("odoo")["State"]["StartedAt"]
    begun = time.monotonic()
    probe.save("controllers.py", '"first"', '"second"')
    assert probe.says("second")
    assert time.monotonic() - begun < RELOAD_SECONDS * BUSY
    assert probe.platform.inspect("odoo")["State"]["StartedAt"] == container
    assert "Python code has changed: starting Odoo again" in probe.log()


def test_a_new_file_and_a_removed_one_count_as_well(probe: Probe) -> None:
    (probe.folder / "words.py").write_text('WORD = "third"\n')
    probe.save("controllers.py", '"second"', "WORD")
    probe.save(
        "controllers.py",
        "from odoo import http",
        "from odoo import http\n\nfrom .words import WORD",
    )
    assert probe.says("third")


def test_code_that_does_not_parse_is_named_and_the_old_one_goes_on(probe: Probe) -> None:
    before = probe.started()
    probe.save("words.py", '"third"', '"fourth')
    named = r"probe/words\.py, line 1: .+; Odoo goes on with the old code"
    assert eventually(lambda: re.search(named, probe.log()), RELOAD_SECONDS)
    time.sleep(3)  # three looks later
    assert probe.answer("/probe") == "third"
    assert probe.started() == before
    assert len(re.findall(named, probe.log())) == 1
    probe.save("words.py", '"fourth', '"fourth"')
    assert probe.says("fourth")


def test_many_files_saved_at_once_start_odoo_once(probe: Probe) -> None:
    before = probe.log().count("starting Odoo again")
    for number in range(20):
        (probe.folder / f"more_{number}.py").write_text("")
        time.sleep(0.1)
    probe.save("words.py", "fourth", "fifth")
    assert probe.says("fifth")
    # Once more at most, where a busy machine made a pause between the files.
    assert before < probe.log().count("starting Odoo again") <= before + 2


def test_code_that_fails_when_it_is_loaded_can_be_mended(probe: Probe) -> None:
    probe.save("words.py", '"fifth"', "undefined")
    assert eventually(lambda: "name 'undefined' is not defined" in probe.log(), 60)
    starts = probe.log().count("starting Odoo again")
    probe.save("words.py", "undefined", '"sixth"')
    # Odoo tries again at every request, and may find the mended code by itself.
    assert eventually(lambda: probe.log().count("starting Odoo again") > starts, RELOAD_SECONDS)
    assert probe.says("sixth")
    assert probe.platform.inspect("odoo")["RestartCount"] == 0


def test_a_template_and_a_script_are_read_from_the_disk_without_a_restart(probe: Probe) -> None:
    assert "<p>first</p>" in probe.answer("/probe/page")
    assert '"first"' in probe.bundle()
    before = probe.started()
    probe.save("views/page.xml", "<p>first</p>", "<p>second</p>")
    assert "<p>second</p>" in probe.answer("/probe/page")
    probe.save("static/src/probe.js", '"first"', '"second"')
    assert '"second"' in probe.bundle()
    time.sleep(3)
    assert probe.started() == before


def test_odoo_stops_as_fast_as_ever(probe: Probe) -> None:
    begun = time.monotonic()
    assert probe.platform.compose("stop", "odoo").returncode == 0
    assert time.monotonic() - begun < 15
    assert probe.platform.inspect("odoo")["State"]["ExitCode"] == 0
    assert probe.platform.inv("up").returncode == 0


def test_it_can_be_switched_off(probe: Probe) -> None:
    off = probe.platform.run("./scripts/inv", "up", ODOO_DEV="")
    assert off.returncode == 0, off.stderr
    try:
        top = ["docker", "top", probe.platform.container("odoo"), "-eo", "pid,args"]
        running = probe.platform.run(*top).stdout
        assert "bin/platform-develop" not in running and "--dev" not in running
        probe.save("words.py", '"sixth"', '"seventh"')
        time.sleep(5)
        assert probe.answer("/probe") == "sixth"
    finally:
        assert probe.platform.inv("up").returncode == 0
    assert probe.says("seventh")
