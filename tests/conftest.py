"""What all tests share: where the project is, and whether an engine may be missing."""

import compileall
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # plain `pytest` puts only this folder there
    sys.path.insert(0, str(ROOT))

from scripts.core.errors import OpsError  # noqa: E402
from scripts.core.process import SystemRunner  # noqa: E402
from scripts.stack import engine  # noqa: E402
from tests import durations  # noqa: E402
from tests.durations import pytest_runtest_makereport  # noqa: E402, F401 - a hook
from tests.support import run_folder  # noqa: E402

# Tests call `inv` more than a thousand times, and each call would compile its modules again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

RUN_FOLDER: Final = pytest.StashKey[Path]()  # what all processes of this run share
_RUN: Final = pytest.StashKey[run_folder.RunFolder]()  # in the main process only


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-docker",
        action="store_true",
        help="fail instead of skipping where no container engine answers",
    )
    parser.addoption(
        "--odoo-package",
        metavar="PATH",
        default="",
        help="the ODOO_PACKAGE of this run's images, for the test that builds them by quickstart",
    )
    parser.addoption(
        "--postgrest",
        metavar="URL",
        help="a true PostgREST (of `inv up --supabase`) for test_postgrest.py to ask as well",
    )
    parser.addoption(
        "--extended",
        action="store_true",
        help="run also the tests marked `extended`: variants of what another test shows once",
    )
    parser.addoption(
        "--soak",
        action="store_true",
        help="run only the tests marked `soak`: many repetitions, which take hours",
    )


def pytest_configure(config: pytest.Config) -> None:
    durations.install(config)
    if hasattr(config, "workerinput"):
        config.stash[RUN_FOLDER] = Path(config.workerinput["run_folder"])
        return
    compileall.compile_dir(ROOT / "scripts", quiet=2)  # once, for all clones
    # Below the project: virtual machines (Colima) see the home folder, not /tmp.
    state = ROOT / ".state"
    run_folder.remove_abandoned(state, _remove_containers)
    config.stash[_RUN] = made = run_folder.RunFolder.make(state)
    config.stash[RUN_FOLDER] = made.path
    os.environ["IPAI_TEST_RUN"] = made.run  # which the other processes inherit
    # An end that was asked for is no reason to leave platforms behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """See pytest-xdist: a process that runs tests is about to start."""
    node.workerinput["run_folder"] = str(node.config.stash[RUN_FOLDER])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Either the tests marked `soak` or the others, `extended` ones only if they are asked for."""
    soak, extended = config.getoption("--soak"), config.getoption("--extended")

    def is_left_out(item: pytest.Item) -> bool:
        if bool(item.get_closest_marker("soak")) != soak:
            return True
        return not (soak or extended) and bool(item.get_closest_marker("extended"))

    left_out = [item for item in items if is_left_out(item)]
    items[:] = [item for item in items if item not in set(left_out)]
    config.hook.pytest_deselected(items=left_out)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what all processes of this run shared, and what one that died has left."""
    if _RUN in config.stash:
        config.stash[_RUN].remove(_remove_containers)


def _remove_containers(run: str) -> None:
    if shutil.which("docker"):
        from tests.e2e.support import checkout, containers  # slow to import: not for unit tests

        containers.remove_all(checkout.prefix(run))


@pytest.fixture(scope="session")
def docker(request: pytest.FixtureRequest) -> engine.Engine:
    """The engine; without one the test is skipped, or failed under --require-docker."""
    try:
        return engine.probe(SystemRunner())
    except OpsError as error:
        reason = f"no usable Docker engine: {error.message}"
    if request.config.getoption("--require-docker"):
        pytest.fail(f"{reason} (--require-docker)", pytrace=False)
    pytest.skip(reason)
