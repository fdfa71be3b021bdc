"""What all end-to-end tests share: how they run side by side, and fresh clones.

Each folder starts the platform that its tests need, in its own conftest.py, and removes it
with its last test. The tests of one folder (or of one mark `xdist_group` in it) run one after
the other in one process; folders run side by side.
"""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from scripts.stack.engine import Engine
from tests.conftest import RUN_FOLDER
from tests.e2e.support import containers
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.run_lock import RunLock
from tests.e2e.support.template import Template, unstarted

# The platform itself first, which fails if anything does; then the longest, so that no process
# has a long one left at the end.
_ORDER: Final = (
    "platform", "modules", "continuous", "backups", "modules_faults", "sessions", "foreign_files",
    "rotation", "operations", "identity", "production", "acme", "development", "backup_faults",
    "official", "jobs", "archive_elsewhere", "external", "browser", "odoo_jobs", "health",
    "postgres", "addons", "host", "first_start", "volumes",
)  # fmt: skip


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put each test into a group, and the groups into order."""
    for item in items:
        if _is_ours(item) and not _group(item):
            item.add_marker(pytest.mark.xdist_group(item.path.parent.name))
    items.sort(key=lambda item: _ORDER.index(_group(item)) if _group(item) in _ORDER else -1)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse a pytest-xdist that takes no notice of groups, as happens without a word."""
    grouped = session.config.getoption("loadgroup", False)
    ours = [item for item in session.items if _is_ours(item)]
    if grouped and not all("@" in item.nodeid for item in ours):
        raise pytest.UsageError("this pytest-xdist does not group tests with this pytest")


def _is_ours(item: pytest.Item) -> bool:
    return Path(__file__).parent in item.path.parents


def _group(item: pytest.Item) -> str:
    mark = item.get_closest_marker("xdist_group")
    return str(mark.args[0]) if mark else ""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """Let a test marked `serial` have the machine to itself."""
    if _LOCK not in item.config.stash:
        item.config.stash[_LOCK] = RunLock(item.config.stash[RUN_FOLDER])
    lock = item.config.stash[_LOCK]
    lock.acquire(alone=item.get_closest_marker("serial") is not None)
    try:
        return (yield)
    finally:
        if not (lock.alone and nextitem and nextitem.get_closest_marker("serial")):
            lock.release()


_LOCK: Final = pytest.StashKey[RunLock]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Add the last lines of the containers of a test that failed."""
    report = yield
    if report.failed:
        values = getattr(item, "funcargs", {}).values()
        for project in {containers.project_of(value) for value in values} - {""}:
            report.sections.append((f"containers of {project}", containers.last_lines(project)))
    return report


@pytest.fixture(scope="session")
def odoo_package(pytestconfig: pytest.Config) -> str:
    """What --odoo-package names, which this run's images were built from; or ''."""
    return str(pytestconfig.getoption("--odoo-package"))


@pytest.fixture(scope="session")
def template(docker: Engine, pytestconfig: pytest.Config) -> Template:
    """The platform that others are copies of."""
    return Template.of_this_run(pytestconfig.stash[RUN_FOLDER])


@pytest.fixture
def fresh(docker: Engine, tmp_path: Path) -> Iterator[Checkout]:
    """A clone that was never started, with settings and secrets in place."""
    with unstarted(tmp_path / "clone") as checkout:
        yield checkout
