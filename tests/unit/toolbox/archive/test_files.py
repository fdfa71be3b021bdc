"""Which attachments are saved, and when all of them are."""

import hashlib
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from toolbox.archive import files
from toolbox.backup import owner, restic
from toolbox.backup import repository as repository_module
from toolbox.core import filestore


class _Repository:
    """A restic that remembers what it was given."""

    def __init__(self) -> None:
        self.saved: list[list[str]] = []  # names of files, or `all`
        self.parents: list[str] = []
        self.forgotten: list[str] = []
        self.identity = "the first"
        self.listed: list[dict[str, str]] = []

    def run(self, *words: str, **_: object) -> str:
        assert words[0] == "backup"
        given = ["all"]
        if "--files-from-raw" in words:
            listed = Path(words[words.index("--files-from-raw") + 1]).read_bytes()
            given = [Path(name.decode()).name for name in listed.split(b"\0") if name]
        self.parents.append(words[words.index("--parent") + 1] if "--parent" in words else "")
        self.saved.append(sorted(given))
        return json.dumps({"snapshot_id": f"s{len(self.saved)}"})


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Repository:
    """One filestore of the database odoo, and one of a copy to go back to."""
    found = _Repository()
    data = tmp_path / "data"
    for name in ("odoo", "odoo__before"):
        (data / "filestore" / name).mkdir(parents=True)
    monkeypatch.setattr(filestore, "folder", lambda name: data / "filestore" / name)
    monkeypatch.setattr(files, "FILES", tmp_path / "files.json")
    monkeypatch.setattr(restic, "CACHE", tmp_path)
    monkeypatch.setattr(restic, "run", found.run)
    monkeypatch.setattr(restic, "snapshots", lambda *tags: found.listed)
    monkeypatch.setattr(restic, "forget", lambda ids: found.forgotten.extend(ids))
    monkeypatch.setattr(owner, "apply", lambda **_: None)
    monkeypatch.setattr(repository_module, "identity", lambda: found.identity)
    return found


@pytest.fixture
def store(tmp_path: Path) -> Callable[[str], str]:
    """Stores a file as Odoo does; returns its name."""

    def put(content: str) -> str:
        name = hashlib.sha1(content.encode()).hexdigest()
        place = tmp_path / "data" / "filestore" / "odoo" / name[:2] / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(content)
        return name

    return put


def test_all_are_saved_once_and_then_what_is_new(
    repository: _Repository, store: Callable[[str], str]
) -> None:
    store("a")
    files.save_all("x", 14)
    first = store("b")
    assert files.save_all("x", 14) <= time.time()
    second = store("c")
    files.save_all("x", 14)
    assert repository.saved[0] == ["all"]
    # Files of the last seconds are taken once more, as times are not exact.
    assert first in repository.saved[1] and second not in repository.saved[1]
    assert {first, second} <= set(repository.saved[2])  # one snapshot has all that is new
    assert repository.parents == ["", "", "s2"]
    files.save_all("x", 14)
    assert len(repository.saved) == 3


def test_a_day_later_and_after_a_clock_was_set_back_all_are_saved_again(
    repository: _Repository, store: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store("a")
    files.save_all("x", 14)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 25 * 3600)
    files.save_all("x", 14)
    assert repository.saved == [["all"], ["all"]]
    monkeypatch.setattr(time, "time", lambda: now)
    files.save_all("x", 14)
    assert repository.saved == [["all"]] * 3


def test_another_repository_gets_all_of_them(
    repository: _Repository, store: Callable[[str], str]
) -> None:
    store("a")
    files.save_all("x", 14)
    repository.identity = "a new one"
    files.save_all("x", 14)
    assert repository.saved == [["all"], ["all"]]


def test_many_new_files_are_saved_with_all_the_others(
    repository: _Repository, store: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_MOST", 3)
    store("a")
    files.save_all("x", 14)
    for n in range(9):
        store(f"{n}")
    files.save_all("x", 14)
    assert repository.saved == [["all"], ["all"]]


@pytest.mark.usefixtures("repository")
def test_only_folders_in_which_something_has_changed_are_read(
    store: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [store(f"{n}") for n in range(50)]
    folder = tmp_path / "data" / "filestore" / "odoo"
    old = time.time() - 3600
    for place in folder.iterdir():
        os.utime(place, (old, old))
    fresh = store("fresh")
    read: list[str] = []
    scan = os.scandir

    def watched(place: Path) -> Any:
        read.append(os.fspath(place))
        return scan(place)

    monkeypatch.setattr(os, "scandir", watched)
    found = files._changed(folder, time.time() - 60)
    assert f"{fresh[:2]}/{fresh}" in found and len(read) == 2  # the folder itself, and one in it
    assert len(found) <= 1 + sum(name[:2] == fresh[:2] for name in names)


def test_snapshots_that_others_have_replaced_are_forgotten_some_at_a_time(
    repository: _Repository, store: Callable[[str], str], tmp_path: Path
) -> None:
    store("0")
    for n in range(1, 30):
        files.save_all("x", 14)
        store(f"{n}")
    assert repository.forgotten and "s1" not in repository.forgotten  # that of all files
    known = json.loads((tmp_path / "files.json").read_text())["databases"]["odoo"]
    assert known["recent"] not in repository.forgotten


def test_snapshots_of_all_files_stay_for_as_long_as_base_backups(
    repository: _Repository, store: Callable[[str], str]
) -> None:
    store("a")
    now = time.time()
    old, older = (_stamp(now - days * 86_400) for days in (21, 23))
    repository.listed = [
        {"id": "kept", "time": old},
        {"id": "of another database that is gone", "time": older},
        {"id": "s1", "time": older},  # what is saved now, by a clock that was set back
    ]
    files.save_all("x", 14)
    assert repository.forgotten == ["of another database that is gone"]
    files.save_all("x", 14)  # not each time
    assert len(repository.forgotten) == 1


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
