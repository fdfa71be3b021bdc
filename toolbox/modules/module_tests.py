"""The tests of one module, in a database of their own."""

import time
from typing import Any

import odoo_versions

from toolbox.core import databases, postgres
from toolbox.core.errors import Failure
from toolbox.modules import addons, odoo_process, snapshots

SCRATCH = "__test"
_NO_TESTS = " 0 failed, 0 error(s) of 0 tests"


def test(database: str, module: str) -> dict[str, Any]:
    """Run the tests of one module in a database of its own; raises Failure if any fails."""
    postgres.doing = "inv module.test"
    name = database + SCRATCH
    with postgres.exclusive():
        (addon,) = addons.look_up([module])
        addons.needed([module], [])
        if not (addon.path / "tests" / "__init__.py").is_file():  # before a minute is spent on it
            raise _no_tests(module)
        snapshots.drop(name)
        started = time.monotonic()
        try:
            databases.create(name, "C", "")
            ended, _ = odoo_process.odoo(name, *_test_arguments(name, module))
        finally:
            snapshots.drop(name)
    summary = next((line for line in reversed(ended.lines) if " error(s) of " in line), "")
    if ended.code:
        raise odoo_process.fail(f"the tests of {module} failed", ended)
    if not summary or _NO_TESTS in summary:
        raise _no_tests(module)
    return {"module": module, "summary": summary.partition(": ")[2], **_seconds(started)}


def _no_tests(module: str) -> Failure:
    return Failure(f"{module} has no tests that run", "See odoo/scaffold for one.")


def _seconds(started: float) -> dict[str, float]:
    return {"seconds": round(time.monotonic() - started, 1)}


def _test_arguments(name: str, module: str) -> list[str]:
    # Tests count on demo data. No --no-http: tests may ask the server, and nobody else is in
    # this container.
    return [
        f"--database={name}", f"--init={module}", *odoo_versions.demo_arguments(),
        "--stop-after-init", "--workers=0", "--max-cron-threads=0",
        "--test-enable", f"--test-tags=/{module}",
    ]  # fmt: skip
