"""From when on backups and restore tests are too old, and where that matters."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scripts.backups import freshness, state
from scripts.core import last_backup
from scripts.core.checks import InapplicableError, Status
from scripts.core.settings import Environment, Settings
from tests.unit.support.fakes import settings_in

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


def _settings(
    root: Path, made: timedelta | None, *, prod: bool = True, key_shown: bool = True
) -> Settings:
    """With a backup that was made so long ago."""
    settings = settings_in(root, environment=Environment.PROD if prod else Environment.DEV)
    settings.secrets_folder.mkdir(exist_ok=True)
    (settings.secrets_folder / state.KEY_FILE).write_text("key\n")
    if key_shown:
        state.key(settings)
    if made is not None:
        last_backup.remember(settings, f"{datetime.now(UTC) - made:%Y%m%d-%H%M%S}-abcd", 0)
    return settings


def _verified(settings: Settings, ago: timedelta) -> None:
    folder = settings.state_folder / "verified"
    folder.mkdir(parents=True)
    moment = (datetime.now(UTC) - ago).isoformat()
    (folder / "a.json").write_text(json.dumps({"id": "a", "verified": moment}))
    (folder / "broken.json").write_text("{")


@pytest.mark.parametrize(
    ("made", "prod", "scheduled", "database", "said"),
    [
        (_HOUR, True, True, _DAY, ""),
        (3 * _DAY, True, False, _DAY, "the last is 3 days old"),
        (3 * _DAY, False, True, _DAY, "the last is 3 days old"),
        (3 * _DAY, False, False, _DAY, ""),  # development
        (None, True, False, 2 * _DAY, "none was made here"),
        (None, True, False, _HOUR, ""),  # a fresh installation
        (None, False, False, 9 * _DAY, ""),
        (None, False, True, 9 * _DAY, "none was made here"),
    ],
)
def test_a_backup_has_to_be_recent_where_it_matters(
    tmp_path: Path,
    made: timedelta | None,
    prod: bool,
    scheduled: bool,
    database: timedelta,
    said: str,
) -> None:
    settings = _settings(tmp_path, made, prod=prod)
    found = freshness.last(settings, scheduled=scheduled, database_age=database.total_seconds)
    assert found.status is (Status.WARNING if said else Status.OK)
    assert not said or found.detail == said


def test_a_key_that_nobody_has_elsewhere_is_a_warning_as_soon_as_there_are_backups(
    tmp_path: Path,
) -> None:
    settings = _settings(tmp_path, _HOUR, key_shown=False)
    found = freshness.last(settings, scheduled=True, database_age=lambda: 0)
    assert found.status is Status.WARNING and found.hint == state.KEY_HINT
    state.key(settings)
    assert freshness.last(settings, scheduled=True, database_age=lambda: 0).status is Status.OK


@pytest.mark.parametrize(
    ("made", "verified", "said"),
    [
        (_HOUR, None, ""),  # the first is new itself
        (3 * _DAY, None, "no backup was ever restored on trial"),
        (_HOUR, 34 * _DAY, ""),
        (_HOUR, 36 * _DAY, "the last was 36 days ago"),
    ],
)
def test_a_backup_of_production_is_restored_on_trial_now_and_then(
    tmp_path: Path, made: timedelta, verified: timedelta | None, said: str
) -> None:
    settings = _settings(tmp_path, made)
    if verified:
        _verified(settings, verified)
    found = freshness.restore_test(settings)
    assert found.status is (Status.WARNING if said else Status.OK)
    assert not said or found.detail == said


@pytest.mark.parametrize(("made", "prod"), [(None, True), (9 * _DAY, False)])
def test_there_is_no_restore_test_without_backups_of_production(
    tmp_path: Path, made: timedelta | None, prod: bool
) -> None:
    with pytest.raises(InapplicableError):
        freshness.restore_test(_settings(tmp_path, made, prod=prod))
