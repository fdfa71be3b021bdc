"""The tests of one module, in a database of their own."""

import time

import odoo_versions

from toolbox.contract import names
from toolbox.contract.changes import ModuleTestResult
from toolbox.core import databases, postgres
from toolbox.core.errors import Failure
from toolbox.modules import addons, odoo_process, snapshots

_NO_TESTS = " 0 failed, 0 error(s) of 0 tests"


def run(database: str, module: str) -> ModuleTestResult:
    """Run the tests of one module in a database of its own; raises Failure if any fails."""
    name, disk = database + names.MODULE_TEST, addons.on_disk()
    with postgres.advisory_lock("inv module.test"):
        (addon,) = addons.look_up([module], disk)
        addons.require_external(disk[name] for name in addons.needed([module], [], disk))
        if not (addon.path / "tests" / "__init__.py").is_file():  # before a minute is spent on it
            raise _no_tests(module)
        snapshots.drop(name)
        started = time.monotonic()
        try:
            databases.create(name, "C", "")
            ended, _ = odoo_process.run(name, *_test_arguments(name, module))
        finally:
            snapshots.drop(name)
    summary = next((line for line in reversed(ended.lines) if " error(s) of " in line), "")
    if ended.code:
        raise odoo_process.failure(f"the tests of {module} failed", ended)
    if not summary or _NO_TESTS in summary:
        raise _no_tests(module)
    seconds = round(time.monotonic() - started, 1)
    return ModuleTestResult(module=module, summary=summary.partition(": ")[2], seconds=seconds)


def _no_tests(module: str) -> Failure:
    return Failure(f"{module} has no tests that run", "See odoo/scaffold for one.")


def _test_arguments(name: str, module: str) -> list[str]:
    # Tests count on demo data. No --no-http: tests may send requests to
    # the server, and the container has no other.
    return [
        f"--database={name}",
        f"--init={module}",
        *odoo_versions.demo_arguments(),
        "--stop-after-init",
        "--workers=0",
        "--max-cron-threads=0",
        "--test-enable",
        f"--test-tags=/{module}",
    ]
