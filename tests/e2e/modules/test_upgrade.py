"""`inv upgrade`: from what runs to what is in the folder."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.support.module_sandbox import ModuleSandbox

pytestmark = pytest.mark.xdist_group("modules")


@pytest.fixture
def outdated(shop: ModuleSandbox) -> Iterator[ModuleSandbox]:
    """A platform that runs, beside files that a `git pull` has changed."""
    shop.write("zz_upgrade")
    shop.inv("module.install", "zz_upgrade", "--no-snapshot")
    shop.inv("up")  # which notes what is started
    shop.write("zz_upgrade", version="1.0.1")
    example = shop.platform.root / ".env.example"
    before = example.read_text()
    example.write_text(f"{before}#ZZ_NEW=1\n")
    yield shop
    example.write_text(before)


def _checked(sandbox: ModuleSandbox) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sandbox.inv("upgrade", "--check", "--json").stdout)
    return found


def test_an_upgrade_shows_what_would_change_asks_and_does_it(outdated: ModuleSandbox) -> None:
    plan = _checked(outdated)
    assert (plan["modules"], plan["new_settings"]) == (["zz_upgrade"], ["ZZ_NEW"])
    assert plan["checked"] and not plan["images"]
    error = outdated.refused("upgrade")
    assert "nothing was upgraded" in error and "--yes" in error
    assert outdated.state("zz_upgrade") == "installed"
    before = outdated.platform.inv("backup.list", "--json").stdout
    done = outdated.inv("upgrade", "--yes")
    assert "Modules to update: zz_upgrade" in done.stdout
    assert "Updated: zz_upgrade" in done.stdout
    made = done.stdout.rpartition("Backup of before: ")[2].strip()
    assert made and made not in before
    assert made in outdated.inv("backup.list").stdout
    version = "SELECT latest_version FROM ir_module_module WHERE name = 'zz_upgrade'"
    assert outdated.platform.sql(version).endswith("1.0.1")
    plan = _checked(outdated)
    assert (plan["modules"], plan["new_settings"], plan["images"]) == ([], [], [])


def test_an_upgrade_whose_modules_fail_names_the_backup_and_leaves_the_platform_running(
    outdated: ModuleSandbox,
) -> None:
    outdated.write("zz_upgrade", {"data.xml": "<odoo><record/></odoo>"}, version="1.0.2")
    error = outdated.refused("upgrade", "--yes")
    assert "The backup of before: inv restore 20" in error
    version = "SELECT latest_version FROM ir_module_module WHERE name = 'zz_upgrade'"
    assert not outdated.platform.sql(version).endswith("1.0.2")
    assert outdated.platform.get("/web/login") == 200
