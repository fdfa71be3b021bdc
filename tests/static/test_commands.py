"""The command line: what it needs and what it says. See test_documentation.py as well."""

import json
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from scripts.cli import help_pages
from scripts.cli.examples import EXAMPLES, EXIT_CODES
from scripts.cli.words import parse
from tasks import GROUPS
from tests.static.support.cli import commands, flags, helps, shown
from tests.static.support.project import ROOT, inv, run


def test_the_list_needs_neither_docker_nor_settings(tmp_path: Path) -> None:
    for name in ("tasks.py", "compose.yaml"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("scripts", "toolbox"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    env = {"PATH": str(tmp_path / "nothing"), "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    before = {path.name for path in tmp_path.iterdir()}
    launch = tmp_path / "scripts" / "launch.py"
    done = run(sys.executable, "-P", "-S", str(launch), "--list", env=env, cwd=tmp_path)
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


def test_every_command_has_a_line_in_the_overview() -> None:
    assert [name for name, text in helps().items() if not text] == []
    overview = inv().stdout
    assert [name for name in helps() if not re.search(rf"^  {name}\s", overview, re.M)] == []
    assert sorted(command for commands in GROUPS.values() for command in map(id, commands)) == (
        sorted(id(command) for command in shown().values())
    ), "a command is in two groups or in none"


@pytest.mark.parametrize("width", [40, 80])
def test_help_keeps_within_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    names = {command: name for name, command in shown().items()}
    pages = [help_pages.page(name, command) for name, command in shown().items()]
    for lines in (*pages, help_pages.overview(GROUPS, names), help_pages.listing(GROUPS, names)):
        wide = [line for line in lines if len(line) > width and not line.startswith("  inv ")]
        assert width < 80 or not [line for line in lines if len(line) > width]
        assert not [line for line in wide if " " in line.strip() and not line.startswith("Usage")]


@pytest.mark.parametrize("name", sorted(shown()))
def test_a_page_of_help_has_usage_options_two_examples_and_exit_codes(name: str) -> None:
    made = shown()[name]
    page = help_pages.page(name, made)
    assert page[0].startswith(f"Usage: inv {name}")
    for option in made.options:
        assert any(f"--{option.name}" in line for line in page), option.name
    assert "Exit codes: 0 done, 1 failed" in "\n".join(page)
    examples = EXAMPLES[name]
    assert len(set(examples)) == 2
    for example in examples:
        words = shlex.split(re.split(r" [<>] ", example)[0])
        assert words[0] == "inv"
        (call,) = parse(words[1:], commands()).calls
        assert shown()[name] is call.command


def test_examples_and_exit_codes_are_of_commands_that_exist() -> None:
    assert EXAMPLES.keys() == shown().keys()
    assert EXIT_CODES.keys() <= shown().keys()


@pytest.mark.parametrize(
    "words",
    [["--help", "setup-tls"], ["help", "setup-tls"], ["setup-tls", "--help"], ["setup-tls", "-h"]],
)
def test_help_is_found_in_every_way(words: list[str]) -> None:
    done = inv(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: inv setup-tls [MODE] [options]")


def test_help_of_a_group_lists_its_commands_and_that_of_nothing_is_an_error() -> None:
    assert "module.rollback" in inv("help", "module").stdout
    wrong = inv("help", "modul")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("error: 'modul' is not a command\nhint: ")


def test_the_version_names_the_platform_and_what_it_runs_on(tmp_path: Path) -> None:
    lines = inv("--version", PATH=str(tmp_path)).stdout.splitlines()
    assert re.fullmatch(r"ipai-platform \d+\.\d+\.\d+", lines[0])
    assert lines[1].startswith("Odoo not known (")
    assert lines[2:] == ["Docker Compose not installed", "Docker Engine not installed"]


def test_a_wrong_call_is_json_where_json_is_asked_for() -> None:
    done = inv("health", "--json", "--nothing")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"] == "inv health: --nothing is not an option"


@pytest.mark.parametrize("words", [["logs"], ["shell"], ["restart"]])
def test_a_service_that_does_not_exist_is_refused_with_those_that_do(words: list[str]) -> None:
    done = inv("--dry", *words, "nosuch")
    assert done.returncode == 2, done.stderr
    assert "error: there is no service 'nosuch'\nhint: Services: " in done.stderr
    assert "odoo_db" in done.stderr and "$ docker compose restart" not in done.stderr


def test_the_old_commands_are_doors_to_the_new_ones() -> None:
    for path in (ROOT / "scripts").glob("*.sh"):
        lines = path.read_text().splitlines()
        assert len(lines) <= 4, f"{path.name} does work of its own"
        called = re.search(r'/inv" ([a-z-]+)', lines[-1])
        assert called, path.name
        assert called[1] in flags()
        assert os.access(path, os.X_OK)
