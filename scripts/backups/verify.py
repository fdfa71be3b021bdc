"""The restore test: a backup is only one when it has been restored and Odoo runs on it."""

import json
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from scripts.backups import repository, service
from scripts.core.errors import OpsError, WarningError
from scripts.core.files import file_lock, make_folder, write_atomic
from scripts.core.report import Reporter
from scripts.core.settings import Settings
from scripts.stack import engine, oneoff
from scripts.stack.compose import Stack
from toolbox.contract.backups import Manifest, SmokeTestResult
from toolbox.contract.names import SCRATCH

_VOLUME: Final = "/drill"


@dataclass(frozen=True)
class VerificationRecord:
    """What the restore test of a backup has found, and when."""

    id: str
    verified: str
    database: str
    odoo: str
    rows: int
    tables: int
    files: int  # that attachments name
    lost: int  # of those, the ones that the backup has not, or not whole
    login: str
    downloads: int
    seconds: float

    @property
    def line(self) -> str:
        """For people."""
        return (
            f"Backup {self.id} works: {self.rows} rows in {self.tables} tables and"
            f" {self.files - self.lost} files as in the manifest, Odoo {self.odoo} started,"
            f" {self.login!r} logged in, {self.downloads} attachments downloaded"
            f" ({self.seconds:.0f} s)"
        )


def warn(record: VerificationRecord) -> None:
    """Raises WarningError for a backup that works, and lacks files of attachments."""
    if record.lost:
        said = f"{record.lost} attachments have no whole file in that backup"
        raise WarningError(said, f"inv backup.show {record.id}")


def folder(settings: Settings) -> Path:
    """Where the records are, a file for each backup."""
    return settings.state_folder / "verified"


def verify(stack: Stack, reporter: Reporter, wanted: str) -> VerificationRecord:
    """Restore a backup into a throw-away database and folder, and use it; then it is gone.

    Raises OpsError at the first thing that is not as it was when the backup was made.
    """
    started = time.monotonic()
    name = stack.settings.database + SCRATCH
    with file_lock(repository.lock(stack.settings), "backup.verify"):
        engine.probe(stack.runner)
        service.prepare(stack, reporter)
        service.start_database(stack)
        place = (name, "--data", _VOLUME)
        try:
            with reporter.step("Restoring into a throw-away database"):
                manifest = service.ask(
                    stack, reporter, service.RESTORE, "stage", wanted, *place, kind=Manifest
                )
            with reporter.step("Starting Odoo on it, without a way out"):
                found = _use(stack, name, list(manifest.files.lost))
        except BaseException:
            service.try_to_discard(stack, reporter, *place)
            raise
        service.run(stack, reporter, service.RESTORE, "discard", *place)
    return _save_record(stack.settings, manifest, found, time.monotonic() - started)


def _use(stack: Stack, name: str, lost: list[str]) -> SmokeTestResult:
    program = ("python3", "-P", "-m", "toolbox.backup.smoke_test")
    done = service.run_odoo(stack, name, *program, stdin=json.dumps(lost))
    if not done.ok:
        raise OpsError(
            f"the backup restores, but Odoo does not run on it: {done.last_line}",
            "An older one may: inv backup.list",
        )
    return oneoff.answer(SmokeTestResult, done.stdout.splitlines()[-1])


def _save_record(
    settings: Settings, manifest: Manifest, found: SmokeTestResult, seconds: float
) -> VerificationRecord:
    record = VerificationRecord(
        id=manifest.id,
        verified=datetime.now(UTC).isoformat(timespec="seconds"),
        database=manifest.database,
        odoo=manifest.odoo,
        rows=sum(manifest.rows.values()),
        tables=len(manifest.rows),
        files=manifest.files.count,
        lost=len(manifest.files.lost),
        login=found.login,
        downloads=found.downloads,
        seconds=round(seconds, 1),
    )
    place = folder(settings)
    make_folder(place)
    text = json.dumps(asdict(record), indent=2) + "\n"
    write_atomic(place / f"{record.id}.json", text.encode())
    return record
