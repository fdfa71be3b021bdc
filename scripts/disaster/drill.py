"""`inv disaster.drill`: what a new machine would do, measured."""

import json
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from scripts.backups import archive
from scripts.backups.state import KEY_FILE
from scripts.core.errors import OpsError, UsageError
from scripts.core.files import file_lock
from scripts.core.report import Reporter
from scripts.disaster import certificate
from scripts.disaster.certificate import Certificate
from scripts.disaster.second import Second
from scripts.stack import engine, login_page
from scripts.stack.compose import Stack

_GIGABYTE: Final = 1 << 30
_MEMORY: Final = 2 * _GIGABYTE  # of a second PostgreSQL and Odoo
_MEMINFO: Final = Path("/proc/meminfo")


def drill(stack: Stack, reporter: Reporter, name: str = "") -> Certificate:
    """Restore the newest there is into a second project, and remove that; write a certificate.

    `name` is the archive to take, where the repository has several. Nothing of the platform
    is stopped, locked or written. Raises OpsError at the first thing that fails.
    """
    settings = stack.settings
    if stack.runner.dry:
        raise UsageError("a drill cannot be rehearsed", "It changes nothing of the platform.")
    if not (settings.secrets_folder / KEY_FILE).is_file():
        raise OpsError(f"secrets/{KEY_FILE} does not exist", "Run: inv secrets")
    with file_lock(settings.state_folder / "disaster.lock", "disaster.drill"):
        known = archive.status(stack) if settings.archive.wanted else None
        require_room(stack)
        second = Second(stack)
        second.require_own()
        second.remove()  # what a drill that was killed has left
        try:
            found = _restore(second, reporter, known.archive if known else "", name)
        finally:
            with reporter.step("Removing the second project"):
                second.remove()
        certificate.save(settings, found)
        return found


def _restore(second: Second, reporter: Reporter, known: str, name: str) -> Certificate:
    began, clock, steps = datetime.now(UTC), time.monotonic(), {}
    words = ["restore", "--neutralize", "--yes", "--json"]
    chosen = name or known
    if chosen:
        words += ["--at", "now", "--archive", chosen]
    done: dict[str, Any] = {}

    def restore() -> None:
        done.update(json.loads(second.inv(*words).stdout))

    for title, work in (
        ("Copying the project's files and the key", second.make),
        ("Making secrets", lambda: second.inv("secrets")),
        ("Restoring into a second project", restore),
        ("Waiting for its login page", lambda: _log_in(second)),
    ):
        before = time.monotonic()
        with reporter.step(title):
            work()
        steps[title] = round(time.monotonic() - before, 1)
    last = str(done["last_transaction"])
    return Certificate(
        started=began.isoformat(timespec="seconds"),
        project=second.project,
        source=str(done["source"]),
        archive=chosen,
        last_transaction=last,
        rto_seconds=round(time.monotonic() - clock, 1),
        rpo_seconds=lost(last, began),
        missing_files=int(done["missing_files"]),
        steps=steps,
    )


def lost(last: str, began: datetime) -> float | None:
    """Seconds from the last transaction to the start, 0 if it is later; None if none is known."""
    if not last:
        return None
    return round(max(0.0, (began - datetime.fromisoformat(last)).total_seconds()), 1)


def _log_in(second: Second) -> None:
    second.inv("up")
    if problem := login_page.problem(Stack(second.settings, second.stack.runner)):
        raise OpsError(f"the second project serves no login page: {problem}")


def require_room(stack: Stack) -> None:
    """Raises OpsError where disk or memory would not do for a second project."""
    host = engine.probe(stack.runner)
    place = Path(host.data_root)
    needed = _size(stack) + _GIGABYTE
    if place.is_dir() and (free := shutil.disk_usage(place).free) < needed:
        raise OpsError(
            f"a drill needs {needed / 1e9:.1f} GB on {place}, and {free / 1e9:.1f} GB are free",
            "Free some disk space. Nothing was changed.",
        )
    if (memory := _memory()) is not None and memory < _MEMORY:
        raise OpsError(
            f"a drill needs {_MEMORY / 1e9:.1f} GB of memory, and {memory / 1e9:.1f} GB are free",
            "Run it when less is going on, or on another machine.",
        )


def _size(stack: Stack) -> int:
    """Bytes of database and attachments; 0 for what is not running."""
    name = stack.settings.database
    query = f"SELECT pg_database_size('{name}')"
    role = stack.settings.postgres.administrator
    asked = stack.exec("odoo_db", "psql", "-U", role, "-d", "postgres", "-tAc", query)
    used = stack.exec("odoo", "du", "-sb", f"/var/lib/odoo/filestore/{name}", timeout=300)
    database = asked.stdout.strip() if asked.ok else ""
    files = used.stdout.split()[0] if used.ok and used.stdout else ""
    return int(database or 0) + int(files or 0)


def _memory() -> int | None:
    """Bytes that are available; None where the system does not tell."""
    if not _MEMINFO.is_file():
        return None
    for line in _MEMINFO.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None
