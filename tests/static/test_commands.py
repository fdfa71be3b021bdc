"""The command line: what it needs, what it says, and what the README says of it."""

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tasks import namespace

from .project import ROOT, inv, run

_README = ROOT / "README.md"
# Flags of Invoke itself, which stand before the task.
_CORE_FLAGS = {
    "--list", "--help", "--version", "--dry", "--echo", "--print-completion-script", "--debug",
}  # fmt: skip


@cache
def _tasks() -> dict[str, set[str]]:
    """Every task and its flags, as Invoke's parser takes them."""
    parsed = {
        name: {flag for flag in context.flags if flag.startswith("--")}
        for context in namespace.to_contexts()
        for name in (context.name, *context.aliases)
    }
    return {name: parsed[name] for name in _helps()}


@cache
def _helps() -> dict[str, str]:
    """Every task as one types it, and its help; a room's default goes by the room's name."""
    listing = json.loads(inv("--list", "--list-format=json").stdout)
    helps = {task["name"]: task["help"] for task in listing["tasks"]}
    for room in listing["collections"]:
        for task in room["tasks"]:
            name = f"{room['name']}.{task['name']}"
            helps[room["name"] if task["name"] == room["default"] else name] = task["help"]
    return helps


def _readme() -> str:
    if not _README.is_file():
        pytest.skip("README.md is not written yet")
    return _README.read_text()


def _blocks(text: str) -> Iterator[str]:
    for language, body in re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        if language in ("", "bash", "sh", "shell", "console"):
            yield body


def _quoted_commands(text: str) -> Iterator[list[str]]:
    """Each call of `inv` in the code blocks and the inline code of `text`."""
    inline = re.findall(r"(?<!`)`((?:\./scripts/)?inv [^`\n]+)`(?!`)", text)
    lines = [line for body in _blocks(text) for line in body.splitlines()]
    for line in [*lines, *inline]:
        for part in re.split(r"&&|\|\||[;|]", line):
            try:
                words = shlex.split(re.sub(r"^# or: |[][]", "", part.strip()), comments=True)
            except ValueError:
                continue  # half of a quotation that contains one of the separators
            if words and words[0] in ("inv", "./scripts/inv", "scripts/inv"):
                yield words[1:]


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
    assert [name for name, text in _helps().items() if not text] == []
    shown = inv("--help", "setup-tls").stdout
    assert _tasks()["setup-tls"] <= set(re.findall(r"^\s+(--[a-z][a-z-]*)", shown, re.MULTILINE))


def test_the_old_commands_are_doors_to_the_new_ones() -> None:
    for path in (ROOT / "scripts").glob("*.sh"):
        lines = path.read_text().splitlines()
        assert len(lines) <= 4, f"{path.name} does work of its own"
        called = re.search(r'/inv" ([a-z-]+)', lines[-1])
        assert called, path.name
        assert called[1] in _tasks()
        assert os.access(path, os.X_OK)


def test_every_command_of_the_readme_exists_with_its_flags() -> None:
    wrong = set()
    for words in _quoted_commands(_readme()):
        task = next((word for word in words if not word.startswith("-")), "")
        if task and not re.fullmatch(r"[A-Z]+|…|bash|zsh|fish", task) and task not in _tasks():
            wrong.add(f"inv {task}")
            continue
        known = _CORE_FLAGS | _tasks().get(task, set())
        flags = {word.partition("=")[0] for word in words if word.startswith("--")}
        wrong |= {f"inv {task} {flag}" for flag in flags - known}
    assert not wrong, "README.md has commands that do not exist"


def test_every_task_is_in_the_readme() -> None:
    text = _readme()
    missing = [name for name in _tasks() if not re.search(rf"\binv {name}\b(?![-.])", text)]
    assert not missing


def test_every_file_that_the_readme_links_to_exists() -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", _readme())
    assert not [target for target in targets if not (ROOT / target).exists()]


def test_the_search_of_the_readme_finds_commands() -> None:
    text = "```bash\ninv up --prod && ./scripts/inv ps # x\n```\nOr `inv logs --service odoo`."
    assert list(_quoted_commands(text)) == [
        ["up", "--prod"],
        ["ps"],
        ["logs", "--service", "odoo"],
    ]
