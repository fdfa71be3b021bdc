"""The command line: what it needs and what it says. See test_documentation.py as well."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from .cli import flags, helps
from .project import ROOT, inv, run


def test_the_list_needs_neither_docker_nor_settings(tmp_path: Path) -> None:
    for name in ("tasks.py", "compose.yaml"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("scripts", "toolbox"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    env = {"PATH": str(tmp_path / "nothing"), "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    before = {path.name for path in tmp_path.iterdir()}
    done = run(sys.executable, "-m", "invoke", "--list", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "quickstart" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == before


def test_a_wrong_setting_is_a_usage_error_without_a_traceback() -> None:
    done = inv("ps", NGINX_HTTP_PORT="eighty", PLATFORM_ENV="moon")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: wrong settings: ")
    assert "NGINX_HTTP_PORT='eighty'" in done.stderr
    assert "PLATFORM_ENV='moon'" in done.stderr
    assert "\nhint: " in done.stderr


def test_without_docker_the_error_says_so(tmp_path: Path) -> None:
    done = inv("down", PATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("error: Docker is not installed\nhint: ")


def test_listing_containers_without_docker_is_an_error_for_people(tmp_path: Path) -> None:
    done = inv("ps", PATH=str(tmp_path))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: ")


@pytest.mark.parametrize("task", ["logs", "shell", "psql", "odoo-shell"])
def test_a_dry_run_of_an_interactive_command_shows_it_and_ends(task: str) -> None:
    done = inv("--dry", task)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("$ docker compose ")


def test_a_flag_where_a_value_belongs_runs_nothing() -> None:
    done = inv("--dry", "logs", "--service=--follow")
    assert done.returncode != 0
    assert "$ docker" not in done.stderr


def test_every_task_has_help() -> None:
    assert [name for name, text in helps().items() if not text] == []
    shown = inv("--help", "setup-tls").stdout
    assert flags()["setup-tls"] <= set(re.findall(r"^\s+(--[a-z][a-z-]*)", shown, re.MULTILINE))


def test_the_old_commands_are_doors_to_the_new_ones() -> None:
    for path in (ROOT / "scripts").glob("*.sh"):
        lines = path.read_text().splitlines()
        assert len(lines) <= 4, f"{path.name} does work of its own"
        called = re.search(r'/inv" ([a-z-]+)', lines[-1])
        assert called, path.name
        assert called[1] in flags()
        assert os.access(path, os.X_OK)
