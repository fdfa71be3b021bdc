"""What all tests share: where the project is, and whether an engine may be missing."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # plain `pytest` puts only this folder there
    sys.path.insert(0, str(ROOT))

from scripts.core.errors import OpsError  # noqa: E402
from scripts.core.process import SystemRunner  # noqa: E402
from scripts.stack import engine  # noqa: E402


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-docker",
        action="store_true",
        help="fail instead of skipping where no container engine answers",
    )
    parser.addoption(
        "--odoo-source",
        metavar="FOLDER",
        type=Path,
        help="a checkout of Odoo 18, on which the platform of tests/e2e then runs",
    )
    parser.addoption(
        "--postgrest",
        metavar="URL",
        help="a true PostgREST (of `inv up --supabase`) for test_postgrest.py to ask as well",
    )


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
