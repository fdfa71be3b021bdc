"""What tests of backups share: an installation that can make them."""

from pathlib import Path

import pytest

from scripts.stack.compose import Stack
from tests.unit.support.backups import ready_stack


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """An installation with a key, and the image of backups in place."""
    return ready_stack(tmp_path, monkeypatch)
