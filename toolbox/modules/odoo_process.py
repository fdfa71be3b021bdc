"""Running Odoo as a child process, and the lines of its log that explain a failure."""

import collections
import os
import re
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import IO

import odoo_versions

from toolbox.core.errors import Failure
from toolbox.core.progress import say
from toolbox.modules.lock_watcher import Watch
from toolbox.modules.protocol import Host

APPLICATION = "inv module"  # as PostgreSQL knows its connections
ODOO = "/usr/bin/odoo"  # not our wrapper: root was dropped already
_KEPT_LINES = 4000
_SHOWN_LINES = 12
_LOADING = re.compile(r"Loading module (?P<name>\S+) \((?P<n>\d+)/(?P<all>\d+)\)")
_BEGINNING = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ \d+ (?P<level>[A-Z]+) ")
_COUNT = re.compile(r"\d+ fail(ed|ures), \d+ error")  # of tests, which says not why
_GRACE_SECONDS = 20
_QUIET_SECONDS = 10  # between two words on how far it is


@dataclass(frozen=True)
class Outcome:
    """How a run of Odoo ended."""

    code: int
    lines: tuple[str, ...]

    @property
    def telling(self) -> list[str]:
        """The lines that matter: from the last error on, the end of them where they are many."""
        errors = [
            n
            for n, line in enumerate(self.lines)
            if _level(line) in ("ERROR", "CRITICAL") and not _COUNT.search(line)
        ]
        chosen = list(self.lines[errors[-1] :]) if errors else list(self.lines[-3:])
        for n, line in enumerate(chosen[1:], 1):
            if _level(line):  # the next record is another matter
                chosen = chosen[:n]
                break
        head = chosen[:1] if len(chosen) > _SHOWN_LINES else []
        return head + chosen[-_SHOWN_LINES:]


def _level(line: str) -> str:
    record = _BEGINNING.match(line)
    return record["level"] if record else ""


def run(
    database: str,
    *arguments: str,
    host: Host | None = None,
    lock_seconds: int = 0,
    stdin: str = "",
) -> tuple[Outcome, Watch]:
    """Run `odoo` to its end on `database`; raises Failure if the host is gone."""
    environment = {**os.environ, "PGOPTIONS": f"-c lock_timeout={lock_seconds * 1000}"}
    environment[odoo_versions.application_variable()] = APPLICATION
    argv = [ODOO, *arguments]
    with Watch(database, APPLICATION) as watch:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
        )
        assert child.stdin and child.stdout
        lines: collections.deque[str] = collections.deque(maxlen=_KEPT_LINES)
        reader = threading.Thread(target=_read, args=(child.stdout, lines), daemon=True)
        reader.start()
        try:
            child.stdin.write(stdin)
            child.stdin.close()
            _await(child, host)
        finally:
            _end(child)
            reader.join()
    return Outcome(child.returncode, tuple(lines)), watch


def _read(stream: IO[str], lines: "collections.deque[str]") -> None:
    quiet = time.monotonic() + _QUIET_SECONDS
    for line in stream:
        lines.append(line.rstrip())
        loading = _LOADING.search(line)
        if loading and time.monotonic() > quiet:
            say(f"{loading['name']} ({loading['n']} of {loading['all']})")
            quiet = time.monotonic() + _QUIET_SECONDS


def _await(child: "subprocess.Popen[str]", host: Host | None) -> None:
    while True:
        try:
            child.wait(0.2)
            return
        except subprocess.TimeoutExpired:
            if host:
                host.require_present()


def _end(child: "subprocess.Popen[str]") -> None:
    """Terminate it if it still runs: it must not go on while its work is undone."""
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def failure(what: str, ended: Outcome) -> Failure:
    """`what` went wrong, with the lines of the log that say why."""
    lines = "".join(f"\n  {line}" for line in ended.telling)
    if ended.code in (-9, 137):
        lines = "\n  it was killed (out of memory: ODOO_MEMORY in .env?)"
    return Failure(f"{what} (exit code {ended.code}):{lines}")
