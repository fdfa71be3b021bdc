"""The local Supabase with the job queue, alone or beside a whole platform."""

from collections.abc import Iterator

import pytest

from scripts.stack.engine import Engine
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.supabase import Local
from tests.e2e.support.template import OFTEN_ASKED, Template, running_copy


@pytest.fixture(scope="package")
def platform(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A running development platform."""
    checkout = Checkout.clone(tmp_path_factory.mktemp("jobs") / "clone")
    with running_copy(template, checkout, OFTEN_ASKED) as running:
        yield running


@pytest.fixture(scope="package")
def supabase(docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """The local Supabase alone, with a stand-in in the place of PostgREST."""
    checkout = Checkout.clone(tmp_path_factory.mktemp("supabase") / "clone")
    try:
        yield Local.start_new(checkout)
    finally:
        checkout.destroy()


@pytest.fixture
def queue(supabase: Local) -> Local:
    """The same with an empty queue."""
    supabase.clean()
    return supabase
