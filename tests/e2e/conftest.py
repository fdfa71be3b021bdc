"""One running platform for all tests; small clones of their own for the refusals."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.core.settings import Settings
from scripts.stack import images
from scripts.stack.engine import Engine
from tests.e2e.checkout import Checkout


@pytest.fixture(scope="session")
def quickstart(
    docker: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Checkout, subprocess.CompletedProcess[str]]]:
    """A clean clone after `./scripts/inv quickstart`, and what that printed."""
    checkout = Checkout.clone(tmp_path_factory.mktemp("platform"), with_venv=False)
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


@pytest.fixture
def fresh(docker: Engine, tmp_path: Path) -> Iterator[Checkout]:
    """A clone that was never started, with settings and secrets in place."""
    checkout = Checkout.clone(tmp_path / "clone")
    in_use = images.effective(Settings.load())
    lines = [f"{name}={image}" for name, image in in_use.items()]
    (checkout.root / ".env").write_text("\n".join(lines) + "\n")
    assert checkout.inv("secrets").returncode == 0
    try:
        yield checkout
    finally:
        checkout.destroy()
