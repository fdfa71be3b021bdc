"""The books of a company: a platform with something in it that is worth a backup."""

from collections.abc import Iterator

import pytest

from tests.e2e.support.checkout import Checkout
from tests.e2e.support.odoo_data import OdooData
from tests.e2e.support.template import Template, running_copy


@pytest.fixture(scope="package")
def platform(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """The running platform."""
    checkout = Checkout.clone(tmp_path_factory.mktemp("backups") / "clone")
    with running_copy(template, checkout) as running:
        yield running


@pytest.fixture(scope="package")
def odoo_data(platform: Checkout) -> OdooData:
    """The platform with something in it that is worth a backup."""
    found = OdooData(platform)
    platform.sql("CREATE TABLE ledger (id int, note text)")
    rows = "SELECT n, md5(n::text) || ' ✓ \\ '' ' FROM generate_series(1,999) n"
    platform.sql(f"INSERT INTO ledger {rows}")
    found.attach(30)
    found.back_up()
    return found
