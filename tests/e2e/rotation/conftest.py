"""A platform with users, whose secrets are replaced."""

from collections.abc import Iterator

import pytest

from tests.e2e.support.checkout import Checkout
from tests.e2e.support.template import Template, running_copy


@pytest.fixture(scope="package")
def platform(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """The running platform, with a backup."""
    checkout = Checkout.clone(tmp_path_factory.mktemp("rotation") / "clone")
    with running_copy(template, checkout) as running:
        yield _backed_up(running)


def _backed_up(platform: Checkout) -> Checkout:
    done = platform.inv("backup")
    assert done.returncode == 0, done.stderr
    return platform
