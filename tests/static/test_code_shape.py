"""Layers, homes and sizes of the task library, of toolbox/ and of the programs beside Odoo."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.static.support.project import ROOT, code_of_tests, odoo_programs, task_library, toolbox

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
    "sessions": {"core", "stack", "credentials"},
    "monitoring": {"core", "stack", "credentials"},
    "mail": {"core", "stack", "credentials"},
    "maintenance": {"core", "stack"},
    "browser": {"core", "stack"},
    "testing": {"core", "stack"},
    "supabase": {"core", "stack", "credentials", "supabase"},
    "rotation": {
        "core", "stack", "credentials", "backups", "modules", "sessions", "supabase",
        "monitoring", "rotation",
    },
    "startup": {
        "core", "stack", "credentials", "tls", "supabase", "mail", "monitoring", "sessions",
    },
    "checkup": {"core", "stack", "tls", "backups", "health"},
    "metrics": {"core", "stack", "tls", "backups", "health", "checkup"},
    "quickstart": {"core", "stack", "credentials", "rotation", "startup", "checkup"},
    "upgrade": {"core", "stack", "backups", "modules", "supabase", "startup", "checkup"},
    "postgres": {"core", "stack", "backups", "postgres"},
    "deploy": {"core", "stack", "modules", "maintenance", "checkup", "deploy"},
    "disaster": {"core", "stack", "backups", "disaster"},
    "swarm": {"core", "stack", "backups", "swarm"},
    "status": {"core", "stack", "tls", "backups", "health", "maintenance", "checkup", "status"},
    "doctor": {"core", "stack", "credentials", "health", "checkup", "startup", "doctor"},
    "commands": {
        "core", "stack", "credentials", "tls", "health", "backups", "modules", "sessions",
        "maintenance", "status", "browser", "testing", "supabase", "rotation", "startup",
        "checkup", "metrics", "monitoring", "quickstart", "upgrade", "commands", "mail", "doctor",
        "postgres", "disaster", "deploy", "swarm",
    },
    "cli": {"core", "stack", "cli"},
    "tasks": {"core", "commands"},
    "launch": {"core", "cli"},
}  # fmt: skip
_MODULE_HOMES = {
    "subprocess": {"scripts/core/process.py", "scripts/core/interactive.py"},
    "invoke": {"tasks.py", "scripts/core/tasklib.py", "scripts/commands", "scripts/cli"},
}
# Which of the environment's variables an engine answers to is the engine's own
# affair, and its programs want the PATH they are started with.
_ENVIRONMENT_HOMES = {
    "scripts/core/settings.py",
    "scripts/core/console.py",
    "scripts/core/process.py",
    "scripts/stack/engine.py",
    "scripts/stack/debian.py",
}
_PRINTING = {"print", "input", "sys.stdout.write", "sys.stderr.write"}
_ENDING = {"sys.exit", "exit", "quit", "os._exit"}
_PRINT_HOMES = {"scripts/core/console.py", "scripts/core/process.py"}
# The same of toolbox/, where the two programs know nothing of each other.
_ALLOWED_IN_TOOLBOX = {
    "contract": {"contract"},
    "core": {"contract", "core"},
    "backup": {"contract", "core", "backup"},
    "archive": {"contract", "core", "backup", "archive"},
    "modules": {"contract", "core", "modules"},
}
_SHARED = "toolbox.contract"  # all that the host knows of it
# Where a program in a container speaks to people and to the host, and where it may end.
_SPEAKING = {
    "toolbox/core/progress.py",
    "toolbox/core/disk_space.py",
    "toolbox/modules/protocol.py",
    "toolbox/backup/odoo_info.py",
    "toolbox/backup/sandbox.py",
    "toolbox/backup/smoke_test.py",
    "toolbox/core/program.py",
    "toolbox/backup/__main__.py",
    "toolbox/modules/__main__.py",
}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _each(*paths: Path) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=_name)


_OF_THE_HOST = _each(*task_library())
_OF_TOOLBOX = _each(*toolbox())
_EVERY = _each(*task_library(), *toolbox(), *odoo_programs())
# What is neither a test nor in a folder support/: pytest loads it.
_PYTEST_LOADS = {"__init__.py", "conftest.py"}
_PLUGINS = {"tests/durations.py"}


def _room(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[1] if parts[0] in ("scripts", "toolbox") else parts[0]


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


@_OF_THE_HOST
def test_imports_point_down_only(path: Path) -> None:
    room = _room(path)
    if room == "__init__":
        return
    assert room in _ALLOWED, f"{room} is a new room: say in _ALLOWED what it may import"
    used = {name.split(".")[1] for name in _imports(path) if name.startswith("scripts.")}
    assert used <= _ALLOWED[room], f"{_name(path)} imports {used - _ALLOWED[room]}"
    foreign = {name for name in _imports(path) if name.startswith("toolbox")}
    assert all(f"{name}.".startswith(f"{_SHARED}.") for name in foreign), foreign


@_OF_TOOLBOX
def test_imports_of_the_toolbox_point_down_only(path: Path) -> None:
    room = _room(path)
    if room == "__init__":
        return
    assert not any(name.startswith(("scripts", "tasks")) for name in _imports(path))
    used = {name.split(".")[1] for name in _imports(path) if name.startswith("toolbox.")}
    allowed = _ALLOWED_IN_TOOLBOX[room]
    assert used <= allowed, f"{_name(path)} imports {used - allowed}"


def test_what_both_sides_import_needs_nothing_but_the_standard_library() -> None:
    for path in (ROOT / "toolbox" / "contract").glob("*.py"):
        used = {name for name in _imports(path) if not name.startswith(f"{_SHARED}.")}
        assert {name.split(".")[0] for name in used} <= sys.stdlib_module_names, path


@_EVERY
def test_no_module_reaches_into_the_imports_of_another(path: Path) -> None:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = _siblings(tree).get(node.value.id)
            assert not owner or node.attr not in _imported(owner), (
                f"{_name(path)}:{node.lineno}: {ast.unparse(node)} belongs to another module"
            )
            assert not owner or not node.attr.startswith("_"), (
                f"{_name(path)}:{node.lineno}: {ast.unparse(node)} is private"
            )


def _siblings(tree: ast.Module) -> dict[str, Path]:
    """The modules of ours that are imported as a whole, by the name they have here."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                path = ROOT.joinpath(*node.module.split("."), f"{alias.name}.py")
                if path.is_file():
                    found[alias.asname or alias.name] = path
    return found


@cache
def _imported(path: Path) -> frozenset[str]:
    """The names that a module has from elsewhere, and means for itself."""
    names = {
        (alias.asname or alias.name).split(".")[0]
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    return frozenset(names)


@_OF_THE_HOST
@pytest.mark.parametrize("module", _MODULE_HOMES)
def test_a_module_with_a_home_is_imported_there_only(path: Path, module: str) -> None:
    if any(name.split(".")[0] == module for name in _imports(path)):
        assert {_name(path), _name(path.parent)} & _MODULE_HOMES[module]


@_OF_THE_HOST
def test_the_environment_is_read_in_its_homes_only(path: Path) -> None:
    source = {ast.unparse(node) for node in _nodes(path) if isinstance(node, ast.Attribute)}
    if source & {"os.environ", "os.getenv", "os.environb"}:
        assert _name(path) in _ENVIRONMENT_HOMES


@_OF_THE_HOST
def test_only_the_console_and_the_runner_print(path: Path) -> None:
    if _PRINTING & _calls(path):
        assert _name(path) in _PRINT_HOMES


@_OF_TOOLBOX
def test_only_programs_speak_and_end(path: Path) -> None:
    if (_PRINTING | _ENDING) & _calls(path):
        assert _name(path) in _SPEAKING


@_OF_THE_HOST
def test_nobody_leaves_the_process(path: Path) -> None:
    assert not _ENDING & _calls(path)


@_EVERY
def test_nobody_calls_a_shell(path: Path) -> None:
    assert not {"os.system", "os.popen"} & _calls(path)
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
    names = {part.removesuffix(".py") for part in path.relative_to(ROOT).parts[1:]}
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


def test_no_test_module_is_imported() -> None:
    # What two of them need is in support/ or in a conftest.py.
    for path in code_of_tests():
        imported = [name.split(".") for name in _imports(path) if name.startswith("tests.")]
        assert not [name for name in imported if any(x.startswith("test_") for x in name)], path


def test_helpers_of_tests_are_in_support() -> None:
    for path in code_of_tests():
        is_test = path.name.startswith("test_")
        in_support = "support" in path.relative_to(ROOT).parent.parts
        is_helper = in_support or path.name in _PYTEST_LOADS or _name(path) in _PLUGINS
        assert is_test != is_helper, path
