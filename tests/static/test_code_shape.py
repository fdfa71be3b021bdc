"""Layers, homes and sizes of the task library."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from .project import ROOT, python_files

_FORBIDDEN_NAMES = {"tasks", "secrets", "platform", "ssl", "logging", "utils"}
_LONGEST_MODULE = 300
# A room may import the rooms to the left of it in its own row.
_ALLOWED = {
    "core": {"core"},
    "stack": {"core", "stack"},
    "credentials": {"core"},
    "tls": {"core", "stack", "tls"},
    "health": {"core", "stack", "credentials", "health"},
    "backups": {"core", "stack", "backups"},
    "modules": {"core", "stack", "modules"},
    "sessions": {"core", "stack"},
    "testing": {"core", "stack"},
    "supabase": {"core", "stack", "credentials", "supabase"},
    "rotation": {
        "core", "stack", "credentials", "backups", "modules", "sessions", "supabase", "rotation",
    },
    "quickstart": {"core", "stack", "credentials", "tls", "health", "supabase", "rotation"},
    "commands": {
        "core", "stack", "credentials", "tls", "health", "backups", "modules", "sessions",
        "testing", "supabase", "rotation", "quickstart", "commands",
    },
    "tasks": {"commands"},
    "launch": {"core"},
}  # fmt: skip
_MODULE_HOMES = {
    "subprocess": {"scripts/core/process.py"},
    "invoke": {"tasks.py", "scripts/core/tasklib.py", "scripts/commands", "scripts/launch.py"},
}
# Which of the environment's variables an engine answers to is the engine's own
# affair, and its programs want the PATH they are started with.
_ENVIRONMENT_HOMES = {
    "scripts/core/settings.py", "scripts/core/console.py", "scripts/core/process.py",
    "scripts/stack/engine.py", "scripts/stack/debian.py",
}  # fmt: skip
_PRINT_HOMES = {"scripts/core/console.py", "scripts/core/process.py"}
_EVERY = pytest.mark.parametrize(
    "path", python_files(), ids=lambda path: str(path.relative_to(ROOT))
)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _room(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[1] if parts[0] == "scripts" else parts[0]


def _nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(), str(path)))


def _imports(path: Path) -> set[str]:
    found = set()
    for node in _nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_name(path)} has a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _calls(path: Path) -> set[str]:
    return {ast.unparse(node.func) for node in _nodes(path) if isinstance(node, ast.Call)}


@_EVERY
def test_imports_point_down_only(path: Path) -> None:
    room = _room(path)
    if room == "__init__":
        return
    assert room in _ALLOWED, f"{room} is a new room: say in _ALLOWED what it may import"
    used = {name.split(".")[1] for name in _imports(path) if name.startswith("scripts.")}
    assert used <= _ALLOWED[room], f"{_name(path)} imports {used - _ALLOWED[room]}"


@_EVERY
@pytest.mark.parametrize("module", _MODULE_HOMES)
def test_a_module_with_a_home_is_imported_there_only(path: Path, module: str) -> None:
    if any(name.split(".")[0] == module for name in _imports(path)):
        assert {_name(path), _name(path.parent)} & _MODULE_HOMES[module]


@_EVERY
def test_the_environment_is_read_in_its_homes_only(path: Path) -> None:
    source = {ast.unparse(node) for node in _nodes(path) if isinstance(node, ast.Attribute)}
    if source & {"os.environ", "os.getenv", "os.environb"}:
        assert _name(path) in _ENVIRONMENT_HOMES


@_EVERY
def test_only_the_console_and_the_runner_print(path: Path) -> None:
    if {"print", "input", "sys.stdout.write", "sys.stderr.write"} & _calls(path):
        assert _name(path) in _PRINT_HOMES


@_EVERY
def test_nobody_leaves_the_process_or_calls_a_shell(path: Path) -> None:
    assert not {"sys.exit", "exit", "quit", "os.system", "os.popen", "os._exit"} & _calls(path)
    for node in _nodes(path):
        if isinstance(node, ast.keyword) and node.arg == "shell":
            pytest.fail(f"{_name(path)} gives a shell a command")


@_EVERY
def test_no_error_is_swallowed_in_silence(path: Path) -> None:
    for node in _nodes(path):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{_name(path)}:{node.lineno} has a bare except"
            assert not all(isinstance(step, ast.Pass) for step in node.body)


@_EVERY
def test_a_module_stays_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= _LONGEST_MODULE


@_EVERY
def test_no_name_hides_a_module_of_the_standard_library(path: Path) -> None:
    if _name(path) == "tasks.py":
        return
    names = {part.removesuffix(".py") for part in path.relative_to(ROOT / "scripts").parts}
    assert not names & _FORBIDDEN_NAMES


@_EVERY
def test_a_module_says_what_it_is_for(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert not tree.body or ast.get_docstring(tree)


def test_the_body_of_a_task_is_short() -> None:
    trees = [ast.parse(path.read_text()) for path in (ROOT / "scripts/commands").glob("*.py")]
    tasks = [node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert tasks
    # The docstring is a statement too; imports do nothing for the person who reads it.
    steps = {t.name: [s for s in t.body if not isinstance(s, ast.ImportFrom)] for t in tasks}
    assert not [name for name, body in steps.items() if len(body) > 8]


def test_a_command_imports_what_it_calls_where_it_calls_it() -> None:
    light = ("scripts.commands.", "scripts.core.", "scripts.stack.compose.")
    for path in (ROOT / "scripts/commands").glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ImportFrom) and f"{node.module}".startswith("scripts"):
                assert f"{node.module}.".startswith(light), f"{_name(path)} slows all others"
