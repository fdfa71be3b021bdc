"""What `inv test` and `inv lock` do: the project's own upkeep."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from scripts.core.errors import OpsError, UsageError
from scripts.core.files import digest, write_atomic
from scripts.core.process import Runner
from scripts.core.report import Reporter
from scripts.stack import engine, images
from scripts.stack.compose import Stack

KINDS: Final = ("unit", "static", "e2e")
_SOURCES: Final = (
    "tasks.py",
    "scripts",
    "tests",
    "benchmarks",
    "odoo/bin/platform-bootstrap",
    "odoo/bin/platform-develop",
    "odoo/addons",
    "odoo/scaffold",
    "backup",
    "modules",
)


def run(
    stack: Stack, reporter: Reporter, require_docker: bool, only: str, options: Sequence[str]
) -> int:
    """Lint, types, tests; gives back the exit code of the first that fails, else 0."""
    if only and only not in KINDS:
        raise UsageError(f"there are no {only!r} tests", f"Choose one of: {', '.join(KINDS)}")
    root, runner = stack.settings.root, stack.runner
    install(root, "dev", runner, reporter)
    if require_docker and only != "unit":
        engine.ensure(runner, reporter, root)
        images.ensure(stack, reporter)
    if not only:
        for argv in _checkers():
            reporter.note(f"$ python -m {' '.join(argv[2:])}")
            runner.run(argv, timeout=900)
    # Below the project: virtual machines (Colima) see the home folder, not /tmp.
    flags = [f"--basetemp={stack.settings.state_folder / 'tests'}"]
    flags += ["--require-docker"] if require_docker else []
    stack.settings.state_folder.mkdir(exist_ok=True)
    place = f"tests/{only}" if only else "tests"
    pytest = [sys.executable, "-m", "pytest", place, *flags, *options]
    runner.replace(pytest)


def _checkers() -> list[list[str]]:
    python = [sys.executable, "-m"]
    return [
        [*python, "ruff", "check", *_SOURCES],
        [*python, "ruff", "format", "--check", *_SOURCES],
        [*python, "mypy"],
    ]


def install(root: Path, name: str, runner: Runner, reporter: Reporter) -> None:
    """Install `requirements/NAME.lock` into this interpreter, once for each of its versions."""
    lockfile = root / "requirements" / f"{name}.lock"
    stamp = Path(sys.prefix) / f"{name}.installed"
    wanted = digest([lockfile], root)
    if runner.dry or (stamp.is_file() and stamp.read_text() == wanted):
        return
    with reporter.step(f"Installing {lockfile.name}"):
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes"]
        runner.run([*pip, "-r", str(lockfile)], timeout=1800, changes=True)
    write_atomic(stamp, wanted.encode())


def lock(root: Path, runner: Runner, reporter: Reporter) -> None:
    """Write requirements/*.lock anew, for all platforms, with hashes."""
    install(root, "lock", runner, reporter)
    folder = root / "requirements"
    sources = sorted(folder.glob("*.in"))
    if not sources:
        raise OpsError(f"there is nothing to lock in {folder}")
    uv = [str(Path(sys.executable).with_name("uv")), "pip", "compile", "--quiet", "--universal"]
    common = ["--python-version", "3.11", "--generate-hashes", "--no-emit-index-url", "--no-header"]
    for source in sources:
        target = source.with_suffix(".lock")
        with reporter.step(f"Locking {source.name}"):
            runner.run([*uv, *common, str(source), "-o", str(target)], timeout=600, changes=True)
