"""What tests of certificates share: a production platform with an Nginx that serves."""

from pathlib import Path

import pytest

from scripts.stack.compose import Stack
from tests.unit.support.fake_nginx import FakeNginx
from tests.unit.support.production import production, running


@pytest.fixture
def nginx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNginx:
    """An engine with a running Nginx."""
    return running(tmp_path, monkeypatch)


@pytest.fixture
def stack(nginx: FakeNginx) -> Stack:
    """The production platform of that engine; it has no certificate yet."""
    return production(nginx)
