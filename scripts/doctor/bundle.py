"""The support bundle: what somebody needs who is to help, without secrets."""

import io
import json
import os
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Final

from scripts import checkup
from scripts.core import configuration
from scripts.core.errors import OpsError, UsageError
from scripts.doctor.report import Report
from scripts.doctor.scrub import env_text, scrubber
from scripts.stack.compose import Stack

_MODE: Final = 0o600
LINES: Final = 2000  # of each log, if nobody says how many
_MOST_LINES: Final = 100_000
_FILES: Final = ("odoo/odoo.conf", "compose.override.yaml", "odoo/requirements.txt", "CHANGELOG.md")
_ANOTHER: Final = "Name another FILE."
_CHANGES: Final = 60  # lines of CHANGELOG.md, which tell the version


def validate(path: str, lines: int, *, wanted: bool) -> None:
    """Raises UsageError for a file or number of lines that there cannot be, or is no use for."""
    if not wanted and (path or lines != LINES):
        raise UsageError("FILE and --lines go with --bundle", "inv doctor --bundle [FILE]")
    if not 0 < lines <= _MOST_LINES:
        raise UsageError(f"--lines {lines} is no number from 1 to {_MOST_LINES}")
    if path and os.path.lexists(path):
        raise UsageError(f"{path} cannot be written: it is there already", _ANOTHER)
    if path and not Path(path).parent.is_dir():
        raise UsageError(f"{path} cannot be written: its folder must exist", _ANOTHER)


def write(stack: Stack, found: Report, path: str, lines: int) -> Path:
    """Write the bundle and return its path; `lines` is how much of each log is in it.

    Raises UsageError where the file exists or cannot be written.
    """
    target = (
        Path(path) if path else stack.settings.root / time.strftime("support-%Y%m%d-%H%M%S.tar.gz")
    )
    scrub = scrubber(stack.settings.root)
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}", _ANOTHER) from error
    with os.fdopen(handle, "wb") as stream, tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, text in _contents(stack, found, lines):
            _add(archive, f"{target.name.partition('.')[0]}/{name}", scrub(text))
    return target


def _add(archive: tarfile.TarFile, name: str, text: str) -> None:
    data = text.encode()
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(data), _MODE, int(time.time())
    archive.addfile(entry, io.BytesIO(data))


def _contents(stack: Stack, found: Report, lines: int) -> Iterator[tuple[str, str]]:
    """Name and text of each file. What cannot be had says why."""
    yield "doctor.txt", "\n".join(found.lines(lambda text, _: text))
    yield "doctor.json", json.dumps(asdict(found), indent=2)
    yield "settings.txt", _told(lambda: _settings(stack))
    for name in _FILES:
        if text := env_text(stack.settings.root / name):
            kept = text.splitlines()[:_CHANGES] if name == "CHANGELOG.md" else [text]
            yield f"files/{Path(name).name}", "\n".join(kept)
    if found.cpus:
        asked = [*_commands(stack), *_logs(stack, lines)]
        with ThreadPoolExecutor(max_workers=4) as pool:
            yield from pool.map(lambda one: (one[0], _told(one[1])), asked)


def _told(question: Callable[[], str]) -> str:
    try:
        return question()
    except OpsError as error:
        return f"{error.message}\n{error.hint}"


def _settings(stack: Stack) -> str:
    rows = configuration.variables(stack.settings)
    return "\n".join(f"{row.name}={row.value}  # {row.source}" for row in rows)


def _commands(stack: Stack) -> list[tuple[str, Callable[[], str]]]:
    """Nothing that shows the environment of a container."""
    space = ["docker", "system", "df"]
    return [
        ("health.txt", lambda: _health(stack)),
        ("versions.txt", lambda: _run(stack, ["docker", "version"])),
        ("engine.txt", lambda: _run(stack, ["docker", "info"])),
        ("containers.txt", lambda: _run(stack, stack.argv("ps", "--all"))),
        ("images.txt", lambda: _run(stack, stack.argv("images"))),
        ("usage.txt", lambda: _run(stack, ["docker", "stats", "--no-stream", *_names(stack)])),
        ("disk.txt", lambda: _run(stack, ["df", "-h"]) + _run(stack, space)),
        ("kernel.txt", lambda: _run(stack, ["uname", "-a"])),
    ]


def _names(stack: Stack) -> list[str]:
    return [service.name for service in stack.services() if service.state == "running"]


def _run(stack: Stack, argv: Sequence[str]) -> str:
    done = stack.runner.run(argv, timeout=60, check=False)
    return done.stdout + done.stderr


def _health(stack: Stack) -> str:
    report = next(checkup.look(stack))
    return "\n".join(report.lines(lambda text, _: text))


def _logs(stack: Stack, lines: int) -> list[tuple[str, Callable[[], str]]]:
    """One-off containers have theirs in the output of their commands."""
    names = sorted({service.service for service in stack.services() if not service.oneoff})

    def log(name: str) -> str:
        tail = ["logs", "--no-color", "--no-log-prefix", "--timestamps", "--tail", str(lines), name]
        return _run(stack, stack.argv(*tail))

    return [(f"logs/{name}.txt", lambda name=name: log(name)) for name in names]  # type: ignore[misc]
