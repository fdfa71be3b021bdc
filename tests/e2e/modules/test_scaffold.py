"""The module that a new one is made from, in a real Odoo."""

import re

import pytest

from scripts.core.settings import Settings
from scripts.modules import scaffold
from tests.e2e.support import series
from tests.e2e.support.module_sandbox import ModuleSandbox

pytestmark = pytest.mark.xdist_group("addons")


def test_a_new_module_installs_without_a_warning_and_passes_its_own_tests(
    shop: ModuleSandbox,
) -> None:
    shop.written.append(scaffold.create(Settings.load(shop.platform.root), "fleet_fuel"))
    done = shop.by_odoo("fleet_fuel", "--test-tags", "/fleet_fuel")
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(re.findall(r"Starting TestFleetFuel\.test_", done.stderr)) == 3
    assert not series.complaints(done.stderr)
    query = "SELECT count(*) FROM ir_model_data WHERE module = 'fleet_fuel' AND model = '{}'"
    assert shop.platform.sql(query.format("ir.ui.view")) == "3"
    assert shop.platform.sql(query.format("ir.ui.menu")) == "2"
