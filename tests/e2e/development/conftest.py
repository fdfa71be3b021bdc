"""A development platform on which modules are written."""

from collections.abc import Iterator

import pytest

from tests.e2e.support.checkout import Checkout
from tests.e2e.support.template import OFTEN_ASKED, Template, running_copy


@pytest.fixture(scope="package")
def platform(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """The running platform."""
    checkout = Checkout.clone(tmp_path_factory.mktemp("development") / "clone")
    with running_copy(template, checkout, OFTEN_ASKED) as running:
        yield running
