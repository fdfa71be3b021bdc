"""odoo/bin/platform-addons: which modules Odoo is given, and what it says of the others."""

import os
import stat
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import ROOT

_EX_CONFIG = 78
_OURS = ("session_redis", "platform_http", "platform_files", "platform_mail")


def _for_others(path: Any, wanted: int) -> bool:
    """os.access for a user who owns nothing; the tests may run as root, who reads all."""
    for folder in Path(path).resolve().parents:
        if folder.is_relative_to(_for_others.root) and not folder.stat().st_mode & stat.S_IXOTH:  # type: ignore[attr-defined]
            return False
    mode = Path(path).stat().st_mode
    return mode & wanted == wanted  # os.R_OK and os.X_OK are the bits of others


@pytest.fixture
def addons(tmp_path: Path) -> Path:
    folder = tmp_path / "addons"
    for name in _OURS:
        _module(folder / name)
    (tmp_path / "links").mkdir()
    return folder


@pytest.fixture
def program(addons: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = ROOT / "odoo" / "bin" / "platform-addons"
    loaded = ModuleType("platform_addons")
    exec(compile(path.read_text(), str(path), "exec"), loaded.__dict__)
    monkeypatch.setattr(loaded, "ADDONS", str(addons))
    monkeypatch.setattr(loaded, "ENTERPRISE", str(addons / "enterprise-elsewhere"))
    monkeypatch.setattr(loaded, "FROM_REQUIREMENTS", str(addons.parent / "python" / "addons"))
    _for_others.root = addons  # type: ignore[attr-defined]
    monkeypatch.setattr(os, "access", _for_others)
    return loaded


def _module(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "__manifest__.py").write_text("{}")
    (folder / "models").mkdir()
    (folder / "models" / "model.py").touch()
    return folder


def _run(program: ModuleType, monkeypatch: pytest.MonkeyPatch, configured: str = "") -> None:
    links = Path(program.ADDONS).parent / "links"
    argv = ["platform-addons", configured or program.ADDONS, str(links)]
    monkeypatch.setattr("sys.argv", argv)
    program.main()


def _path(capsys: pytest.CaptureFixture[str]) -> tuple[list[str], str]:
    said = capsys.readouterr()
    return said.out.strip().split(","), said.err


def test_repositories_and_what_python_packages_bring_are_added(
    program: ModuleType,
    addons: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _module(addons / "repository" / "sale")
    _module(addons.parent / "python" / "addons" / "partner")
    (addons / "no-modules" / "docs").mkdir(parents=True)
    _run(program, monkeypatch, f"{addons}, /mnt/more")
    found, said = _path(capsys)
    expected = [addons, "/mnt/more", addons / "repository", addons.parent / "python" / "addons"]
    assert (found, said) == ([str(path) for path in expected], "")


@pytest.mark.parametrize("closed", ["", "models", "models/model.py", "__manifest__.py"])
def test_one_module_that_cannot_be_read_takes_no_other_along(
    program: ModuleType,
    addons: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    closed: str,
) -> None:
    (_module(addons / "bad") / closed).chmod(0o600)
    _module(addons / "good")
    _run(program, monkeypatch)
    (found,), said = _path(capsys)
    assert f"left out: {addons}/bad: ".replace(str(addons), "odoo/addons") in said
    assert said.endswith("run chmod -R a+rX odoo/addons/bad\n") and said.count("\n") == 1
    seen = {path.name for path in Path(found).iterdir() if program.is_module(str(path))}
    assert seen >= {"good", *_OURS}
    if closed:  # a module that Odoo would find, and fail at
        assert "bad" not in seen and Path(found, "good").resolve() == addons / "good"


def test_a_repository_that_cannot_be_listed_is_left_out(
    program: ModuleType,
    addons: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _module(addons / "repository" / "sale")
    (addons / "repository").chmod(0o750)
    _run(program, monkeypatch)
    found, said = _path(capsys)
    assert found == [str(addons)]
    assert "left out: odoo/addons/repository: " in said


def test_a_link_that_leads_out_of_the_mount_is_named(
    program: ModuleType,
    addons: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (addons / "gone").symlink_to("/home/somebody/gone")
    (addons / "linked").symlink_to(_module(addons / ".hidden"))
    _run(program, monkeypatch)
    found, said = _path(capsys)
    assert found == [str(addons)]
    assert "odoo/addons/gone: it is a link to /home/somebody/gone" in said and "linked" not in said


@pytest.mark.parametrize("closed", ["", "session_redis", "platform_http/models/model.py"])
def test_odoo_is_not_started_where_one_of_ours_cannot_be_read(
    program: ModuleType,
    addons: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    closed: str,
) -> None:
    (addons / closed).chmod(0o600)
    with pytest.raises(SystemExit) as end:
        _run(program, monkeypatch)
    (addons / closed).chmod(0o700)
    assert end.value.code == _EX_CONFIG
    shown = f"odoo/addons/{closed}".rstrip("/")
    assert f"the user odoo cannot read {shown}: run chmod" in capsys.readouterr().err


def test_odoo_is_not_started_where_one_of_ours_is_missing(
    program: ModuleType,
    addons: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (addons / "platform_http" / "__manifest__.py").unlink()
    with pytest.raises(SystemExit) as end:
        _run(program, monkeypatch)
    assert end.value.code == _EX_CONFIG
    assert "the module platform_http is missing" in capsys.readouterr().err


def test_enterprise_comes_first_and_only_if_it_holds_modules(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(program.ADDONS) / "enterprise"  # which the fixture's reader may enter
    folder.mkdir()
    monkeypatch.setattr(program, "ENTERPRISE", str(folder))
    _run(program, monkeypatch)
    assert capsys.readouterr().out == f"{program.ADDONS}\n"
    _module(folder / "web_enterprise")
    _run(program, monkeypatch)
    assert capsys.readouterr().out.startswith(f"{folder},{program.ADDONS}")
