"""The literal files, parsed, for the static tests."""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
COMPOSE_FILES = ("compose.yaml", "compose.prod.yaml")
REPLICAS_FILE = "compose.replicas.yaml"  # on top of production
# On top of those, and the second where the replicas are, too.
EXTERNAL_FILES = ("compose.external-db.yaml", "compose.external-db-replicas.yaml")
EXTERNAL_REDIS_FILES = ("compose.external-redis.yaml", "compose.external-redis-replicas.yaml")
SWARM_FILE = "compose.swarm.yaml"  # on top of replicas
SWARM_EXTERNAL_FILES = ("compose.swarm-external-db.yaml", "compose.swarm-external-redis.yaml")
DEBUG_FILE = "compose.debug.yaml"  # on top of development only
_SCALARS = ("bool", "int", "float", "null", "timestamp")


class _Loader(yaml.SafeLoader):
    """Reads Compose's own tags (`!override`) as the plain value, `!reset` as none."""


def _plain(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    if suffix == "reset":
        return None
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    assert isinstance(node, yaml.ScalarNode)
    return loader.construct_scalar(node)


_Loader.add_multi_constructor("!", _plain)


@cache
def compose(name: str) -> dict[str, Any]:
    """A compose file as YAML, before Compose fills in variables."""
    loaded: dict[str, Any] = yaml.load((ROOT / name).read_text(), _Loader)
    return loaded


def variables(text: str) -> dict[str, set[str]]:
    """`${NAME:-default}` in `text`: name to its defaults ('' where there is none).

    `${NAME:+text}` needs none: it is for a variable that may be unset.
    """
    found: dict[str, set[str]] = {}
    # The default of an image carries the project's name.
    text = re.sub(r"\$\{COMPOSE_PROJECT_NAME:-([^}]*)\}", r"\1", text)
    text = re.sub(r":-\$\{\w+:-([^}]*)\}\}", r":-\1}", text)  # another one is the default
    live = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    pattern = r"(?<!\$)\$\{?([A-Z][A-Z0-9_]*)(?::?([-+])([^}]*))?"
    for name, operator, default in re.findall(pattern, live):
        found.setdefault(name, set()).update([] if operator == "+" else [default])
    return found


def documented() -> dict[str, str]:
    """`.env.example`: name to the default it shows, commented out or not."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    matches = (re.fullmatch(r"#?([A-Z][A-Z0-9_]*)=(.*)", line) for line in lines)
    return {match[1]: match[2] for match in matches if match}


def tracked() -> list[Path]:
    """The files that are, or by .gitignore would be, part of the repository."""
    git = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(git, capture_output=True, check=True).stdout.decode()
    paths = (ROOT / name for name in sorted(set(listing.split("\0"))) if name)
    return [path for path in paths if path.is_file()]


def task_library() -> list[Path]:
    """tasks.py and everything under scripts/: what runs on the host."""
    return [ROOT / "tasks.py", *sorted((ROOT / "scripts").rglob("*.py"))]


def toolbox() -> list[Path]:
    """What runs in containers by `python3 -m toolbox.…`."""
    return sorted((ROOT / "toolbox").rglob("*.py"))


def code_of_tests() -> list[Path]:
    """The tests, and all that only they use."""
    return sorted((ROOT / "tests").rglob("*.py"))


def odoo_programs() -> list[Path]:
    """What runs beside Odoo, but for its modules."""
    places = [*(ROOT / "odoo" / "bin").iterdir(), *(ROOT / "odoo").glob("odoo_*.py")]
    files = sorted(path for path in places if path.is_file())
    return [p for p in files if p.suffix == ".py" or _first_line(p).endswith("python3")]


def _first_line(path: Path) -> str:
    return path.read_text().partition("\n")[0]


def run(
    *argv: str, env: dict[str, str] | None = None, cwd: Path = ROOT, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """A process and its output, text."""
    return subprocess.run(
        argv,
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=env,
        timeout=120,
        input=stdin,
    )


def inv(*arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
    """`inv` of this interpreter, in this project."""
    env = {**os.environ, "NO_COLOR": "1", **changed}
    return run(sys.executable, "-P", "-S", str(ROOT / "scripts" / "launch.py"), *arguments, env=env)


def has_compose() -> bool:
    """Whether the Compose client is there; it needs no engine to merge files."""
    return bool(shutil.which("docker")) and run("docker", "compose", "version").returncode == 0


def public_environment() -> dict[str, str]:
    """This environment without what would change the compose files' defaults."""
    known = {*documented(), "COMPOSE_FILE", "COMPOSE_PROFILES"}
    return {name: value for name, value in os.environ.items() if name not in known}


def require_image(config: pytest.Config, image: str, command: str) -> None:
    """Skip the test where the engine has no `image`; with --require-docker it fails."""
    if run("docker", "image", "inspect", image).returncode != 0:
        reason = f"the image {image} is not there: {command}"
        if config.getoption("--require-docker"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
