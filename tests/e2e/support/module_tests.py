"""The tests that our modules bring along, run by Odoo."""

from tests.e2e.support.checkout import Checkout


def run_module_tests(platform: Checkout, module: str) -> str:
    """What Odoo logs of the tests of `module` in a copy of the database; all have to pass."""
    install = ["odoo", "-d", "throwaway", "-i", module, "--test-enable", "--stop-after-init"]
    options = ["--test-tags", f"/{module}", "--workers=0", "--http-port=8899"]
    platform.copy_database("throwaway")
    try:
        done = platform.exec("odoo", *install, *options)
    finally:
        platform.exec("odoo_db", "dropdb", "-U", "odoo", "--force", "throwaway")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "FAIL:" not in done.stderr and "ERROR:" not in done.stderr
    return done.stderr
