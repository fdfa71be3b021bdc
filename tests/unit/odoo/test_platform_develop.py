"""odoo/bin/platform-develop, as far as it needs no Odoo."""

import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def program() -> ModuleType:
    path = ROOT / "odoo" / "bin" / "platform-develop"
    loaded = ModuleType("platform_develop")
    # Not by an import, which would leave a __pycache__ where the image is built from.
    exec(compile(path.read_text(), str(path), "exec"), loaded.__dict__)
    return loaded


@pytest.fixture
def addons(tmp_path: Path) -> Path:
    for name in ("one/__init__.py", "repository/two/models/sale.py"):
        _save(tmp_path / name, "good = 1\n")
    return tmp_path


@pytest.fixture
def sources(program: ModuleType, addons: Path) -> Any:
    return program.Sources(str(addons))


def _save(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _settled(sources: Any) -> bool:
    """Whether it wants a restart once nothing is written any more."""
    assert not sources.changed(), "before the second look"
    return bool(sources.changed())


def test_what_was_saved_counts_once_and_only_when_writing_has_ended(
    addons: Path, sources: Any
) -> None:
    assert not _settled(sources)
    _save(addons / "one/__init__.py", "good = 2 # longer\n")
    assert not sources.changed()
    _save(addons / "one/models.py", "good = 3\n")
    assert not sources.changed(), "something was written since the look before"
    assert sources.changed()
    assert not _settled(sources)


def test_a_change_of_time_alone_counts(addons: Path, sources: Any) -> None:
    path = addons / "one/__init__.py"
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    assert _settled(sources)


def test_a_removed_file_counts(addons: Path, sources: Any) -> None:
    (addons / "repository/two/models/sale.py").unlink()
    assert _settled(sources)


@pytest.mark.parametrize(
    "name",
    [
        "one/.hidden.py",
        ".git/hook.py",
        "one/static/src/tool.py",
        "one/node_modules/a/gyp.py",
        "one/__pycache__/a.py",
        "one/views/page.xml",
        "one/README.md",
    ],
)
def test_what_odoo_does_not_import_does_not_count(addons: Path, sources: Any, name: str) -> None:
    _save(addons / name, "x = 1\n")
    assert not _settled(sources)


@pytest.mark.parametrize(
    "text", ['x = "unfinished\n', "def f(:\n", "x = 1\n\0", "  indented = 1\n"]
)
def test_code_that_does_not_parse_is_refused_and_named_once(
    addons: Path, sources: Any, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    _save(addons / "one/__init__.py", text)
    assert not _settled(sources)
    said = capsys.readouterr().err
    assert said.startswith("platform-develop: one/__init__.py, ")
    assert said.endswith("; Odoo goes on with the old code\n")
    assert not _settled(sources)
    assert not capsys.readouterr().err


def test_another_file_saved_meanwhile_does_not_let_the_broken_one_through(
    addons: Path, sources: Any
) -> None:
    _save(addons / "one/__init__.py", "def f(:\n")
    assert not _settled(sources)
    _save(addons / "one/models.py", "good = 3\n")
    assert not _settled(sources)
    _save(addons / "one/__init__.py", "def f(): pass\n")
    assert _settled(sources)


def test_links_neither_lead_in_circles_nor_to_errors(
    program: ModuleType, addons: Path, sources: Any
) -> None:
    (addons / "one/again").symlink_to(addons)
    (addons / "one/dangling.py").symlink_to(addons / "nowhere.py")
    (addons / "one/linked.py").symlink_to(addons / "repository/two/models/sale.py")
    assert {Path(path).name for path in program.scan(str(addons))} == {
        "__init__.py",
        "sale.py",
        "linked.py",
    }
    assert _settled(sources)


@pytest.mark.parametrize(
    ("features", "command", "watched"),
    [
        ("reload,qweb,xml", ["odoo", "-d", "x", "--dev=qweb,xml"], True),
        ("all", ["odoo", "-d", "x", "--dev=qweb,xml"], True),
        ("xml", ["odoo", "-d", "x", "--dev=xml"], False),
        ("reload", ["odoo", "-d", "x"], True),
        ("", ["odoo", "-d", "x"], False),
    ],
)
def test_odoo_gets_every_feature_but_the_reload(
    program: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    features: str,
    command: list[str],
    watched: bool,
) -> None:
    ran: list[tuple[bool, list[str]]] = []

    def execvp(file: str, arguments: list[str]) -> None:
        ran.append((False, arguments))
        raise SystemExit

    def run(arguments: list[str]) -> int:
        ran.append((True, arguments))
        return 0

    monkeypatch.setattr("sys.argv", ["platform-develop", features, "odoo", "-d", "x"])
    monkeypatch.setattr(program, "run", run)
    monkeypatch.setattr(program, "become_odoo", lambda: None)
    monkeypatch.setattr("os.execvp", execvp)
    with pytest.raises(SystemExit):
        program.main()
    assert ran == [(watched, command)]
