"""How odoo/addons/platform_files writes a file; Odoo itself is in tests/e2e/platform."""

import errno
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from scripts.core.settings import ROOT

_STORE = ROOT / "odoo" / "addons" / "platform_files" / "store.py"


class _UserError(Exception):
    pass


class _Attachments:
    """What the module uses of ir.attachment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.marked: list[str] = []
        self.env = SimpleNamespace(context={})

    def _get_path(self, content: bytes, checksum: str) -> tuple[str, str]:
        name = f"{checksum[:2]}/{checksum}"
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        return name, str(path)

    def _mark_for_gc(self, name: str) -> None:
        self.marked.append(name)

    def _full_path(self, name: str) -> str:
        return str(self.folder / name)

    def with_context(self, **context: bool) -> "_Attachments":
        found = type(self)(self.folder)
        found.env = SimpleNamespace(context=context)
        return found

    def _gc_file_store_unsafe(self) -> list[str]:
        """Odoo's own: all that it finds in the checklist."""
        checklist = Path(self._full_path("checklist"))
        return sorted(path.name for path in checklist.rglob("*") if path.is_file())


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, with an Odoo around it that is none."""
    for name in (
        "odoo",
        "odoo.addons",
        "odoo.addons.base",
        "odoo.addons.base.models",
        "odoo.addons.base.models.ir_attachment",
        "odoo.exceptions",
    ):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["odoo"]._ = lambda text, *values: text % values  # type: ignore[attr-defined]
    sys.modules["odoo.exceptions"].UserError = _UserError  # type: ignore[attr-defined]
    attachments = sys.modules["odoo.addons.base.models.ir_attachment"]
    attachments.IrAttachment = _Attachments  # type: ignore[attr-defined]
    spec = importlib.util.spec_from_file_location("platform_files_store", _STORE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _no_names(monkeypatch: pytest.MonkeyPatch, number: int = errno.EOPNOTSUPP) -> None:
    real = os.open

    def refusing(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(number, os.strerror(number))
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", refusing)


@pytest.mark.parametrize("named", [False, True])
def test_a_file_is_stored_whole_and_readable_for_nginx(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    if named:
        _no_names(monkeypatch)
    attachments = _Attachments(tmp_path)
    assert store._file_write(attachments, b"content", "abcd") == "ab/abcd"
    stored = tmp_path / "ab" / "abcd"
    assert (stored.read_bytes(), stored.stat().st_mode & 0o777) == (b"content", 0o644)
    assert attachments.marked == ["ab/abcd"]
    assert [path.name for path in stored.parent.iterdir()] == ["abcd"]


def test_what_is_there_is_left_alone(store: Any, tmp_path: Path) -> None:
    attachments = _Attachments(tmp_path)
    for _ in range(2):
        store._file_write(attachments, b"content", "abcd")
    assert attachments.marked == ["ab/abcd"]
    store._write(tmp_path / "ab" / "abcd", b"another")  # one that came between
    assert (tmp_path / "ab" / "abcd").read_bytes() == b"content"


@pytest.mark.parametrize("named", [False, True])
def test_a_full_disk_refuses_the_upload_and_keeps_no_part_of_it(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    if named:
        _no_names(monkeypatch)
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    real = os.open

    def opening(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        written = flags & os.O_TMPFILE == os.O_TMPFILE
        return real("/dev/full", os.O_WRONLY) if written else real(path, flags, *rest, **more)

    def writing(path: Path, content: bytes) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if named:
        monkeypatch.setattr(Path, "write_bytes", writing)
    else:
        monkeypatch.setattr(os, "open", opening)
    with pytest.raises(_UserError, match="No space left on device"):
        store._file_write(_Attachments(tmp_path), b"content" * 10_000, "abcd")
    assert list((tmp_path / "ab").iterdir()) == []


def test_a_folder_of_somebody_else_refuses_the_upload(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _no_names(monkeypatch, errno.EACCES)
    with pytest.raises(_UserError, match="Permission denied"):
        store._file_write(_Attachments(tmp_path), b"content", "abcd")
    assert list((tmp_path / "ab").iterdir()) == []


@pytest.mark.parametrize(("switch", "days", "held"), [
    ("false", "14", 0), ("", "", 0), ("true", "", 15), ("true", "3", 4),
])  # fmt: skip
def test_garbage_stays_for_as_long_as_moments_can_be_restored(
    store: Any, monkeypatch: pytest.MonkeyPatch, switch: str, days: str, held: int
) -> None:
    monkeypatch.setenv("BACKUP_CONTINUOUS", switch)
    monkeypatch.setenv("BACKUP_DAYS", days)
    assert store._held_seconds() == held * 86_400


def test_only_what_was_marked_long_enough_ago_is_collected(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKUP_CONTINUOUS", "true")
    monkeypatch.setattr(_Attachments, "_full_path", store._full_path)
    attachments = _Attachments(tmp_path)
    for name, days in (("aa/new", 0), ("aa/old", 16), ("bb/older", 30), ("bb/recent", 14)):
        mark = tmp_path / "checklist" / name
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        long_ago = mark.stat().st_mtime - days * 86_400
        os.utime(mark, (long_ago, long_ago))
    assert store._gc_file_store_unsafe(attachments) == ["old", "older"]
    left = sorted(path.name for path in (tmp_path / "checklist").glob("??/*"))
    assert left == ["new", "recent"]
    # Without it, Odoo finds them all: what was due is below the same folder.
    assert len(_Attachments._gc_file_store_unsafe(attachments)) == 4
    # One that is marked again has been named until now.
    store._mark_for_gc(attachments, "bb/recent")
    assert (tmp_path / "checklist" / "bb" / "recent").stat().st_mtime > long_ago
