"""The key of the backups: never thrown away where it may open something."""

from dataclasses import replace
from pathlib import Path

import pytest

from scripts import credentials
from scripts.backups import state
from scripts.rotation import dependents
from scripts.rotation.journal import Journal
from tests.unit.support.rotation import Installation, error_of

_ELSEWHERE = "docker run --rm"


@pytest.fixture
def elsewhere(made: Installation, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """With a repository on another machine, of which nothing is remembered here."""
    monkeypatch.setattr("scripts.stack.images.has_backup_image", lambda stack: True)
    monkeypatch.setattr(
        "scripts.stack.image_names.official",
        lambda *_: {"POSTGRES_IMAGE": "p", "BACKUP_IMAGE": "b"},
    )
    (made.stack.settings.backup_folder / "config").unlink()
    settings = replace(made.stack.settings, backup_repository="rest:http://host/books")
    made.stack = replace(made.stack, settings=settings)
    return made


@pytest.fixture
def unmounted(made: Installation) -> Installation:
    """With the disk of its backups away."""
    state.remember_repository(made.stack.settings)
    (made.stack.settings.backup_folder / "config").unlink()
    return made


def _kept(made: Installation) -> list[Path]:
    return list(made.folder.glob("backup_key.until-*.txt"))


def test_a_repository_elsewhere_that_was_never_seen_here_gets_the_new_key(
    elsewhere: Installation,
) -> None:
    elsewhere.servers.exists = True
    before = elsewhere.value("backup_key")
    elsewhere.rotate()
    assert elsewhere.value("backup_key") != before and elsewhere.fits
    assert _kept(elsewhere) == []


def test_a_key_that_does_not_open_the_repository_elsewhere_stays(elsewhere: Installation) -> None:
    elsewhere.servers.exists = True
    elsewhere.servers.refuse = "backup_offsite list"
    before = elsewhere.files()
    error_of(elsewhere)
    assert elsewhere.files() == before


def test_a_folder_in_the_place_of_the_key_is_named_as_one(made: Installation) -> None:
    (made.folder / "backup_key.txt").unlink()
    (made.folder / "backup_key.txt").mkdir()
    assert "backup_key.txt is a folder" in error_of(made, "backup_key").message


def _left_alone(made: Installation) -> None:
    before = made.files()
    error = error_of(made, "backup_key,odoo_master_password")
    assert "backup_key.txt is left alone" in error.message and "BACKUP_FOLDER" in error.hint
    assert made.files() == before
    made.rotate()
    after = made.files()
    assert {name for name in before if before[name] == after[name]} == {"backup_key.txt"}
    assert made.fits and any("backup_key.txt is left alone" in said for said in made.reporter.said)


def test_a_key_is_left_alone_where_nobody_can_look_for_its_repository(
    elsewhere: Installation,
) -> None:
    elsewhere.servers.refuse = _ELSEWHERE
    _left_alone(elsewhere)


def test_a_key_is_left_alone_while_the_disk_of_its_backups_is_away(unmounted: Installation) -> None:
    _left_alone(unmounted)


def test_no_key_is_made_for_a_disk_that_is_away(unmounted: Installation) -> None:
    (unmounted.folder / "backup_key.txt").unlink()
    reports = credentials.inspect(unmounted.folder)
    assert (
        "backups were made in BACKUP_FOLDER"
        in dependents.lost(unmounted.stack, reports)["backup_key"]
    )
    unmounted.rotate()
    assert not (unmounted.folder / "backup_key.txt").exists()


def test_a_key_without_a_repository_is_kept_beside_the_new_one(elsewhere: Installation) -> None:
    old = elsewhere.files()["backup_key.txt"]
    lines = elsewhere.rotate("backup_key")
    [kept] = _kept(elsewhere)
    assert kept.read_text() == old and kept.stat().st_mode & 0o777 == 0o600
    assert kept.name in lines[-1]
    second = elsewhere.files()["backup_key.txt"]
    elsewhere.rotate("backup_key")
    assert {path.read_text() for path in _kept(elsewhere)} == {old, second}


def test_the_key_of_earlier_backups_here_is_kept_when_the_one_elsewhere_is_rotated(
    elsewhere: Installation,
) -> None:
    (elsewhere.stack.settings.backup_folder / "config").touch()
    elsewhere.servers.exists = True
    old = elsewhere.files()["backup_key.txt"]
    elsewhere.rotate("backup_key")
    assert [path.read_text() for path in _kept(elsewhere)] == [old]


def test_a_rotation_that_was_killed_at_its_end_keeps_the_old_key_once(
    elsewhere: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = elsewhere.files()["backup_key.txt"]
    with monkeypatch.context() as killed:
        killed.setattr(Journal, "discard", _killed)
        with pytest.raises(SystemExit):
            elsewhere.rotate("backup_key")
    elsewhere.recover()
    assert [path.read_text() for path in _kept(elsewhere)] == [old]
    assert not (elsewhere.folder / "rotation").exists()


def _killed(journal: Journal) -> None:
    if journal.begun:  # not before the first step
        raise SystemExit("killed")
