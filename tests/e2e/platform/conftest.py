"""A platform as `quickstart` makes it, from nothing."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.stack.engine import Engine
from tests.e2e.support import odoo_source
from tests.e2e.support.checkout import Checkout


@pytest.fixture(scope="package")
def quickstart(
    docker: Engine, tmp_path_factory: pytest.TempPathFactory, source: Path | None
) -> Iterator[tuple[Checkout, subprocess.CompletedProcess[str]]]:
    """A clean clone after `./scripts/inv quickstart`, and what that printed."""
    checkout = Checkout.clone(tmp_path_factory.mktemp("platform"), with_venv=False)
    if source:
        checkout = odoo_source.put_in(checkout, source)
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
