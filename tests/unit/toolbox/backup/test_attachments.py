"""Attachments in a backup: what is taken as saved, and what a restore takes from where."""

import hashlib
import time
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from toolbox.backup import restic, restored_files, saved_files
from toolbox.core import filestore

LONG_AGO = 1_600_000_000.0


def put(folder: Path, content: bytes, name: str = "") -> str:
    """A file as Odoo stores it; returns its name."""
    name = name or hashlib.sha1(content).hexdigest()
    path = folder / name[:2] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return f"{name[:2]}/{name}"


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    program = saved_files
    listing = MagicMock(return_value=[])
    monkeypatch.setattr(restic, "listing", listing)
    monkeypatch.setattr(restic, "start", MagicMock())
    monkeypatch.setattr(program, "test_listing", listing, raising=False)
    return program


def run(program: Any, folder: Path, wanted: dict[str, Any], **changed: Any) -> dict[str, str]:
    given = {"began": time.time() + 5, "names": set(wanted), "summary": {"snapshot_id": "1"}}
    saved = program.Saved(str(folder), **{**given, **changed})
    found: dict[str, str] = program.lost(saved, folder, wanted, program.Verified())
    return found


def test_what_restic_has_named_and_nobody_has_changed_is_not_listed_again(
    saved: Any, tmp_path: Path
) -> None:
    assert run(saved, tmp_path, {put(tmp_path, b"one"): (3, "")}) == {}
    assert not saved.test_listing.called


@pytest.mark.parametrize("doubt", ["not named", "changed meanwhile", "gone", "no file"])
def test_where_a_file_is_in_doubt_the_snapshot_is_asked(
    saved: Any, tmp_path: Path, doubt: str
) -> None:
    name = put(tmp_path, b"one")
    changed: dict[str, Any] = {}
    if doubt == "not named":
        changed = {"names": set()}
    elif doubt == "changed meanwhile":
        changed = {"began": time.time()}
    else:
        (tmp_path / name).unlink()
    if doubt == "no file":
        (tmp_path / name).mkdir()
    assert run(saved, tmp_path, {name: (3, "")}, **changed) == {name: "no file"}
    assert saved.test_listing.called


def test_a_file_that_was_saved_damaged_is_named(saved: Any, tmp_path: Path) -> None:
    cut, other = put(tmp_path, b"on", "a" * 40), put(tmp_path, b"two", "b" * 40)
    assert run(saved, tmp_path, {cut: (3, "")}) == {cut: "another size or checksum"}
    assert run(saved, tmp_path, {other: (3, "")}) == {other: "damaged"}


def test_another_repository_has_not_looked_at_the_files_yet(
    saved: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved, "_VERIFIED", tmp_path / "verified.json")
    monkeypatch.setattr(saved.restic, "LOCAL", tmp_path)
    monkeypatch.delenv("BACKUP_REPOSITORY", raising=False)
    (tmp_path / "config").write_bytes(b"first")
    assert not saved.verified("odoo").until
    saved.remember("odoo", LONG_AGO, {"aa/a": "damaged", "bb/b": "no file"})
    known = saved.verified("odoo")
    assert known.until == LONG_AGO - 1
    assert known.is_known("cc/c", LONG_AGO - 9) and not known.is_known("cc/c", LONG_AGO)
    assert not known.is_known("aa/a", LONG_AGO - 9)  # looked at again, until it is whole
    assert not saved.verified("other").until
    (tmp_path / "config").write_bytes(b"second")
    assert not saved.verified("odoo").until
    (tmp_path / "verified.json").write_text('{"": {"odoo": 1.0}}')  # of an earlier version
    assert not saved.verified("odoo").until


@pytest.mark.parametrize("known", [1, 2, 3])
def test_a_restore_takes_what_is_here_and_restores_only_what_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: int
) -> None:
    live, folder, repository = (tmp_path / name for name in ("live", "new", "repository"))
    folder.mkdir()
    names = [put(repository, content) for content in (b"one", b"two", b"three")]
    for content in (b"one", b"two", b"three")[:known]:
        put(live, content)
    put(live, b"of nobody")
    put(live, b"damaged", "c" * 40)
    calls: list[str] = []

    def restore(*arguments: str) -> list[dict[str, Any]]:
        calls.append(arguments[0])
        for name in names:
            if not (folder / name).exists():
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_bytes((repository / name).read_bytes())
        return [{"message_type": "status", "percent_done": 0.5}]

    monkeypatch.setattr(filestore, "folder", lambda name: live)
    monkeypatch.setattr(restic, "messages", restore)
    attachments = restored_files.AttachmentRestore(("1:/f",), folder, "odoo", 3)
    attachments.begin()
    assert attachments.finish(names) == set()
    assert calls == (["restore"] if known < 3 else [])
    assert sorted(filestore.stored(folder)) == sorted(names)
    assert (folder / names[0]).samefile(live / names[0])


def test_a_restored_file_that_is_damaged_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        restic, "messages", lambda *_: [{}] if put(tmp_path, b"half", "d" * 40) else []
    )
    attachments = restored_files.AttachmentRestore(("1:/f",), tmp_path, "", 1)
    attachments.begin()
    assert attachments.finish([f"dd/{'d' * 40}"]) == {f"dd/{'d' * 40}"}
