"""A platform to change modules on."""

from collections.abc import Iterator

import pytest

from tests.e2e.support.module_sandbox import ModuleSandbox
from tests.e2e.support.template import Template


@pytest.fixture(scope="package")
def module_sandbox(
    template: Template, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ModuleSandbox]:
    """The running platform."""
    with ModuleSandbox.running(template, tmp_path_factory.mktemp("workshop") / "clone") as running:
        yield running


@pytest.fixture
def shop(module_sandbox: ModuleSandbox) -> Iterator[ModuleSandbox]:
    """The same with no module of a test before."""
    yield module_sandbox
    module_sandbox.clean()


@pytest.fixture
def steady(module_sandbox: ModuleSandbox) -> Iterator[ModuleSandbox]:
    """A platform that has to be unharmed by the test."""
    try:
        with module_sandbox.unharmed(known=True):
            yield module_sandbox
        module_sandbox.forget_modules()
    except BaseException:
        module_sandbox.clean()
        raise
