"""A platform in production on the official images' stand-ins, moved there from ours."""

from collections.abc import Iterator

import pytest

from tests.e2e.support import official_images
from tests.e2e.support.production import Production
from tests.e2e.support.template import Template, running_copy


@pytest.fixture(scope="package")
def official(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """The running platform; its volumes were written by other images, with other users."""
    clone = Production.clone(tmp_path_factory.mktemp("official") / "clone")
    lines = official_images.lines(clone.project)
    with running_copy(template, clone, *lines, up=("quickstart", "--prod", "--yes")) as running:
        yield running


@pytest.fixture(scope="package")
def admin(official: Production) -> str:
    """The Cookie header of somebody who is logged in."""
    return official.log_in()
