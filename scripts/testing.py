"""What `inv test` and `inv lock` do: the project's own upkeep."""

import json
import os
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, NoReturn

from scripts.core.errors import OpsError, UsageError
from scripts.core.files import digest, write_atomic
from scripts.core.process import Runner
from scripts.core.report import Reporter
from scripts.core.settings import Settings
from scripts.stack import debian, engine, image_names, images, postgres_volumes
from scripts.stack.compose import Stack

KINDS: Final = ("unit", "static", "e2e")
PACKAGE_VARIABLE: Final = "IPAI_ODOO_PACKAGE"
PHASES_FILE: Final = "test-phases.json"  # in .state/; tests/durations.py shows it
_PHASE_SECONDS: Final = 1800
_MOST_JOBS: Final = 8  # an engine has room for some thirty networks, a platform has two
_MEMORY_OF_A_JOB: Final = 2 * 1024**3  # bytes, for a platform and now and then a second
_SOURCES: Final = (
    "tasks.py",
    "scripts",
    "tests",
    "benchmarks",
    "odoo/bin/platform-addons",
    "odoo/bin/platform-addresses",
    "odoo/bin/platform-bootstrap",
    "odoo/bin/platform-develop",
    "odoo/bin/platform-odoo",
    "odoo/bin/platform_passwords.py",
    "odoo/health.py",
    "odoo/health_attachment.py",
    "odoo/json_log.py",
    "odoo/odoo_user.py",
    "odoo/odoo_versions.py",
    "odoo/addons",
    "odoo/scaffold",
    "toolbox",
)


@dataclass(frozen=True)
class Request:
    """What `inv test` was asked for."""

    require_docker: bool = False  # fail where no engine can be had, instead of skipping
    only: str = ""  # one of KINDS, all if empty
    extended: bool = False  # also the variants of what another test shows once
    soak: bool = False  # the repetitions that take hours, and nothing else
    odoo_package: str = ""  # as ODOO_PACKAGE in .env, for this run and what it leaves in .env
    jobs: int = 0  # how many processes run end-to-end tests; 0: as many as suit this machine
    pytest: tuple[str, ...] = ()  # further options for pytest


def run(stack: Stack, reporter: Reporter, request: Request) -> NoReturn:
    """Lint, types and tests, the quick ones first; ends as the last of them does.

    Raises OpsError with the output of the first that fails.
    """
    if request.only and request.only not in KINDS:
        raise UsageError(
            f"there are no {request.only!r} tests", f"Choose one of: {', '.join(KINDS)}"
        )
    if not 0 <= request.jobs <= _MOST_JOBS:
        raise UsageError(f"--jobs has to be a number from 1 to {_MOST_JOBS}", "Or leave it out.")
    if request.odoo_package and not Path(request.odoo_package).exists():
        hint = "Name a Debian package, or a checkout of Odoo's source."
        raise UsageError(f"--odoo-package: there is no {request.odoo_package}", hint)
    root, runner = stack.settings.root, stack.runner
    install(root, "dev", runner, reporter)
    if request.require_docker and request.only != "unit":
        engine.ensure(runner, reporter, root)
    host = _engine(runner) if request.only != "unit" else None
    stack.settings.state_folder.mkdir(exist_ok=True)
    phases = _Phases(stack, reporter)
    everything = not (request.only or request.pytest or request.soak)
    if not request.only and not request.soak:
        for name, argv in _checkers():
            phases.run(name, argv)
    if everything:
        phases.run("unit tests", _pytest(stack, request, host, "unit"))
    if host:
        with phases.counted("images"):
            also = (image_names.BACKUP, *image_names.MONITORING)
            used = images.ensure(_on_package(stack, request), reporter, *also)
        reporter.note(f"Odoo of these tests: {used['ODOO_BASE_IMAGE']}{_advice(used)}")
    if everything:
        phases.run("static tests", _pytest(stack, request, host, "static"))
    places = [request.only] if request.only else ["e2e"] if everything or request.soak else []
    runner.replace_process(_pytest(stack, request, host, *places))


def options(text: str) -> tuple[str, ...]:
    """`text` as a shell would divide it; raises UsageError for a quote that is not closed."""
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"--pytest {text!r} has an open quote", '--pytest "-k restore"') from error


def package_of_this_machine(settings: Settings, reporter: Reporter) -> str:
    """What the environment says to test on; '' (which is said) where that is not there."""
    path = settings.test_package
    if path and not Path(path).exists():
        reporter.note(f"{PACKAGE_VARIABLE}={path} does not exist: no tests on that Odoo")
        return ""
    return path


def _on_package(stack: Stack, request: Request) -> Stack:
    """`stack` on the Odoo that is asked for, which `.env` names from then on."""
    if not request.odoo_package:
        return stack
    if postgres_volumes.in_use(stack.settings) in stack.volumes():
        raise UsageError(
            "this installation has a database, and its .env would name another Odoo",
            "Test on another Odoo in a clone of its own.",
        )
    return replace(stack, settings=replace(stack.settings, odoo_package=request.odoo_package))


def _advice(used: Mapping[str, str]) -> str:
    if used["ODOO_BASE_IMAGE"] != debian.ODOO:
        return ""
    return f" (nothing runs on Odoo 18: neither --odoo-package nor {PACKAGE_VARIABLE} names one)"


def _engine(runner: Runner) -> engine.Engine | None:
    try:
        return engine.probe(runner)
    except OpsError:  # its tests are skipped then, or fail under --require-docker
        return None


@dataclass
class _Phases:
    """What was run before the last pytest, which prints how long each took."""

    stack: Stack
    reporter: Reporter
    taken: list[tuple[str, float]] = field(default_factory=list)

    def run(self, name: str, argv: Sequence[str]) -> None:
        """Run one, whose output goes to the terminal as it comes."""
        self.reporter.note(f"$ python {' '.join(argv[1:])}")
        with self.counted(name):
            self.stack.runner.run(argv, stdout=sys.stdout.buffer, timeout=_PHASE_SECONDS)

    @contextmanager
    def counted(self, name: str) -> Iterator[None]:
        """Count the block as the phase `name`."""
        began = time.monotonic()
        yield
        self.taken.append((name, time.monotonic() - began))
        text = json.dumps(self.taken).encode()
        write_atomic(self.stack.settings.state_folder / PHASES_FILE, text)


def _pytest(stack: Stack, request: Request, host: engine.Engine | None, *kinds: str) -> list[str]:
    """The command line of pytest for the tests in the folders `kinds`, all if there are none."""
    argv = [sys.executable, "-m", "pytest", *(f"tests/{kind}" for kind in kinds or ("",))]
    # Below the project: virtual machines (Colima) see the home folder, not /tmp.
    argv.append(f"--basetemp={stack.settings.state_folder / 'tests'}")
    argv += ["--require-docker"] if request.require_docker else []
    if request.odoo_package and "e2e" in kinds:
        argv.append(f"--odoo-package={Path(request.odoo_package).resolve()}")
    argv += ["--extended"] if request.extended else []
    argv += ["--soak"] if request.soak else _side_by_side(request, host, kinds)
    return [*argv, *request.pytest]


def _side_by_side(request: Request, host: engine.Engine | None, kinds: Sequence[str]) -> list[str]:
    """End-to-end tests wait more than they work: two processes for each core keep it busy."""
    if kinds and "e2e" not in kinds:
        return [f"--numprocesses={request.jobs or os.cpu_count() or 1}"]
    most = min(2 * host.cpus, host.memory // _MEMORY_OF_A_JOB, _MOST_JOBS) if host else 1
    jobs = request.jobs or max(1, most)
    return [f"--numprocesses={jobs}", "--dist=loadgroup", "--no-loadscope-reorder"]


def _checkers() -> list[tuple[str, list[str]]]:
    python = [sys.executable, "-m"]
    return [
        ("lint", [*python, "ruff", "check", *_SOURCES]),
        ("format", [*python, "ruff", "format", "--check", *_SOURCES]),
        ("types", [*python, "mypy"]),
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
    """Write requirements/*.lock again, for all platforms, with hashes."""
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
