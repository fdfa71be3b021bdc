"""Production with two containers of Odoo for requests."""

from collections.abc import Iterator

import pytest

from tests.e2e.support.production import Production
from tests.e2e.support.template import Template, running_copy

# Two workers each are enough, and leave the machine to the other tests.
_SETTINGS = ("ODOO_REPLICAS=2", "ODOO_WORKERS=2", "BACKUP_CONTINUOUS=false")


@pytest.fixture(scope="package")
def replicas(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """The running platform."""
    clone = Production.clone(tmp_path_factory.mktemp("deploy") / "clone")
    up = ("quickstart", "--prod", "--yes")
    with running_copy(template, clone, *_SETTINGS, up=up) as running:
        yield running
