"""A platform as `quickstart` makes it, from nothing."""

import subprocess
from collections.abc import Iterator

import pytest

from scripts.stack.engine import Engine
from tests.e2e.support.checkout import Checkout


@pytest.fixture(scope="package")
def quickstart(
    docker: Engine, tmp_path_factory: pytest.TempPathFactory, odoo_package: str
) -> Iterator[tuple[Checkout, subprocess.CompletedProcess[str]]]:
    """A clean clone after `./scripts/inv quickstart`, and what that printed."""
    given = {"ODOO_PACKAGE": odoo_package} if odoo_package else {}
    folder = tmp_path_factory.mktemp("platform")
    checkout = Checkout.clone(folder, with_venv=False, variables=given)
    try:
        yield checkout, checkout.inv("quickstart")
    finally:
        checkout.destroy()


@pytest.fixture
def platform(quickstart: tuple[Checkout, subprocess.CompletedProcess[str]]) -> Checkout:
    """The running platform."""
    checkout, done = quickstart
    assert done.returncode == 0, done.stderr
    return checkout
