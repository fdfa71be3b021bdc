"""A platform with users, whose secrets are replaced; on Odoo 18 where --odoo-source names it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.stack.engine import Engine
from tests.e2e.support import odoo_source
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.template import Template, running_copy


@pytest.fixture(scope="package")
def platform(
    request: pytest.FixtureRequest,
    docker: Engine,
    tmp_path_factory: pytest.TempPathFactory,
    source: Path | None,
) -> Iterator[Checkout]:
    """The running platform, with a backup."""
    checkout = Checkout.clone(tmp_path_factory.mktemp("rotation") / "clone")
    if not source:  # a database of another Odoo is no use to the one of `source`
        of_this_run: Template = request.getfixturevalue("template")
        with running_copy(of_this_run, checkout) as running:
            yield _backed_up(running)
        return
    checkout = odoo_source.put_in(checkout, source)
    try:
        done = checkout.inv("quickstart")
        assert done.returncode == 0, done.stderr
        yield _backed_up(checkout)
    finally:
        checkout.destroy()


def _backed_up(platform: Checkout) -> Checkout:
    done = platform.inv("backup")
    assert done.returncode == 0, done.stderr
    return platform
