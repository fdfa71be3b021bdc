"""Containers of the tests' projects: what they say, and those that nobody has removed."""

import subprocess
from typing import Any, Final

from tests.e2e.support.checkout import Checkout

_LINES: Final = 12
_READ_LINES: Final = 200
_HEALTH: Final = "GET /web/health HTTP"  # of which most lines would be


def project_of(value: Any) -> str:
    """The project of a fixture that is a clone, or has one; '' for any other."""
    if isinstance(value, Checkout):
        return value.project
    for name in ("platform", "checkout"):
        found = getattr(value, name, None)
        if isinstance(found, Checkout):
            return found.project
    return ""


def last_lines(project: str) -> str:
    """The state of every container of `project`, and what it printed last."""
    label = f"label=com.docker.compose.project={project}"
    form = "{{.ID}} {{.Names}}: {{.Status}}"
    parts = []
    for row in _docker("ps", "--all", "--filter", label, "--format", form).splitlines():
        container, _, state = row.partition(" ")
        log = _docker("logs", "--tail", str(_READ_LINES), container).splitlines()
        shown = [line for line in log if _HEALTH not in line][-_LINES:]
        parts.append("\n".join([state, *(f"  {line}" for line in shown)]))
    return "\n".join(parts) or f"there are no containers of {project}"


def remove_all(prefix: str) -> list[str]:
    """Remove containers, networks, volumes and images whose names begin with `prefix`; their names.

    Tests remove their own; this is for what a killed process or an interrupted run has left.
    """
    removed = []
    for kind, list_all, remove in (
        ("container", ["--all", "--format", "{{.Names}}"], ["--force", "--volumes"]),
        ("network", ["--format", "{{.Name}}"], []),
        ("volume", ["--format", "{{.Name}}"], ["--force"]),
    ):
        listing = _docker(kind, "ls", *list_all, "--filter", f"name={prefix}").split()
        if found := [name for name in listing if name.startswith(prefix)]:
            _docker(kind, "rm", *remove, *found)
            removed += found
    form = ["--format", "{{.Repository}}:{{.Tag}}", f"localhost/{prefix}*/*"]
    if built := _docker("image", "ls", *form).split():
        _docker("image", "rm", *built)
        removed += built
    return removed


def _docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr
