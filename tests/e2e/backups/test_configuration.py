"""A new machine: what was set there, which sources it had, and images that are not here yet."""

import shutil

from tests.e2e.support import series
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.odoo_data import OdooData, last_error


def test_a_new_machine_gets_settings_and_images_from_the_backup_itself(
    odoo_data: OdooData, fresh: Checkout
) -> None:
    there, here = odoo_data.platform.root / ".env", fresh.root / ".env"
    before = there.read_text()
    image = f"localhost/{fresh.project}/odoo:{series.expected()}"
    lines = [line for line in before.splitlines() if not line.startswith("ODOO_IMAGE=")]
    try:
        there.write_text("\n".join([*lines, "ODOO_MEMORY=3G", "TOKEN=tok-4711"]) + "\n")
        made = odoo_data.back_up(ODOO_IMAGE=_image(before))
    finally:
        there.write_text(before)
    assert "tok-4711" not in str(made)
    shutil.copytree(odoo_data.platform.root / "backups", fresh.root / "backups")
    shutil.copy2(odoo_data.platform.root / "secrets/backup_key.txt", fresh.root / "secrets")
    was = here.read_text()
    shown = fresh.inv("restore", "--configuration")
    assert "nothing was written" in last_error(shown)
    assert "+ODOO_MEMORY=3G" in shown.stdout and "+TOKEN=tok-4711" in shown.stdout
    assert here.read_text() == was
    done = fresh.inv("restore", "--configuration", "--yes")
    assert done.returncode == 0, done.stderr
    assert (fresh.root / ".env.before").read_text() == was
    assert "ODOO_MEMORY=3G" in here.read_text()
    try:  # an engine that has no image of that name builds it
        here.write_text(here.read_text() + f"ODOO_IMAGE={image}\n")
        done = fresh.inv("restore", "--yes")
        assert done.returncode == 0, done.stderr
        assert fresh.inspect("odoo")["Config"]["Image"] == image
        assert fresh.authenticate("admin", odoo_data.platform.admin_password)
    finally:
        fresh.destroy()
        fresh.run("docker", "rmi", image)


def _image(settings: str) -> str:
    lines = dict(line.split("=", 1) for line in settings.splitlines() if "=" in line)
    return lines["ODOO_IMAGE"]


def test_modules_that_are_not_here_are_named_before_anything_is_restored(
    odoo_data: OdooData,
) -> None:
    platform = odoo_data.platform
    platform.sql(
        "INSERT INTO ir_module_module (name, state, latest_version)"
        " VALUES ('zz_elsewhere', 'installed', '1.0')"
    )
    try:
        made = odoo_data.back_up()
    finally:
        platform.sql("DELETE FROM ir_module_module WHERE name = 'zz_elsewhere'")
    refused = platform.inv("restore", made["id"], "--to-database", "proof")
    assert "modules are missing" in last_error(refused)
    assert "not on disk here: zz_elsewhere" in refused.stderr
    assert "proof" not in platform.sql("SELECT datname FROM pg_database", "postgres").split()
    done = platform.inv("restore", made["id"], "--to-database", "proof", "--yes")
    assert done.returncode == 0, done.stderr
    platform.sql("DROP DATABASE proof", "postgres")
    odoo_data.back_up()  # the latest is one that Odoo here can run
