"""A platform as `quickstart` makes it, from nothing."""

import subprocess
from collections.abc import Iterator

import pytest

from scripts.stack.engine import Engine
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.template import OFTEN_ASKED, Template, running_copy


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


@pytest.fixture(scope="package")
def served(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A development platform whose health is looked at."""
    clone = Checkout.clone(tmp_path_factory.mktemp("health") / "clone")
    with running_copy(template, clone, OFTEN_ASKED) as running:
        yield running
