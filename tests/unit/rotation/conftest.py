"""What tests of a rotation share: an installation whose secrets all fit."""

from pathlib import Path

import pytest

from tests.unit.support.rotation import Installation, installation


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """An installation that runs, with all its secrets."""
    return installation(tmp_path, monkeypatch)
