"""The restore test: a backup is only one when it has been restored and Odoo runs on it."""

import json
import time
from datetime import UTC, datetime
from typing import Final

from scripts.backups import repository, service, verified
from scripts.backups.verified import VerificationRecord
from scripts.core.errors import OpsError
from scripts.core.files import file_lock
from scripts.core.report import Reporter
from scripts.core.settings import Settings
from scripts.stack import engine, oneoff
from scripts.stack.compose import Stack
from toolbox.contract.backups import Manifest, SmokeTestResult
from toolbox.contract.names import SCRATCH

_VOLUME: Final = "/drill"


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
    verified.save(settings, record)
    return record
