"""A platform in production, for what an operator does with it from day to day."""

from collections.abc import Iterator

import pytest

from tests.e2e.support.production import Production
from tests.e2e.support.template import Template, running_copy


@pytest.fixture(scope="package")
def production(
    template: Template, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Production]:
    """The running platform."""
    clone = Production.clone(tmp_path_factory.mktemp("operations") / "clone")
    up = ("quickstart", "--prod", "--yes")
    with running_copy(template, clone, "LOG_FORMAT=json", up=up) as running:
        yield running
