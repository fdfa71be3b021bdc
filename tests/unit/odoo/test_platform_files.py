"""How odoo/addons/platform_files writes a file; Odoo itself is in tests/e2e/platform."""

import errno
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
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

    def _get_path(self, content: bytes, checksum: str) -> tuple[str, str]:
        name = f"{checksum[:2]}/{checksum}"
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        return name, str(path)

    def _mark_for_gc(self, name: str) -> None:
        self.marked.append(name)

    def _full_path(self, name: str) -> str:
        return str(self.folder / name)

    def _gc_file_store_unsafe(self) -> None:
        """Odoo's own, of which nothing is wanted here."""


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
