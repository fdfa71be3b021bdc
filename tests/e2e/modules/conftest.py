"""A platform to change modules on."""

from collections.abc import Iterator

import pytest

from tests.e2e.support.template import Template
from tests.e2e.support.workshop import Workshop


@pytest.fixture(scope="package")
def workshop(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """The running platform."""
    with Workshop.running(template, tmp_path_factory.mktemp("workshop") / "clone") as running:
        yield running


@pytest.fixture
def shop(workshop: Workshop) -> Iterator[Workshop]:
    """The same with no module of a test before."""
    yield workshop
    workshop.clean()


@pytest.fixture
def steady(workshop: Workshop) -> Iterator[Workshop]:
    """A platform that has to be unharmed by the test."""
    try:
        with workshop.unharmed(known=True):
            yield workshop
        workshop.forget_modules()
    except BaseException:
        workshop.clean()
        raise
