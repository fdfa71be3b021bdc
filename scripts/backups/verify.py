"""The restore test: a backup is only one when it has been restored and Odoo runs on it."""

import json
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from scripts.backups import archive, repository, service, staging, verified
from scripts.backups.moments import Moment
from scripts.backups.staging import Past
from scripts.backups.verified import VerificationRecord
from scripts.core.errors import OpsError
from scripts.core.files import file_lock
from scripts.core.report import Reporter
from scripts.stack import engine, oneoff
from scripts.stack.compose import Stack
from toolbox.contract.archive import ArchiveCheck
from toolbox.contract.backups import Manifest, SmokeTestResult
from toolbox.contract.messages import NO_SUCH_DATABASE, OTHER_ODOO
from toolbox.contract.names import SCRATCH

_VOLUME: Final = "/drill"


def verify(stack: Stack, reporter: Reporter, wanted: str) -> VerificationRecord:
    """Restore a backup into a throw-away database and folder, and use it; then it is gone.

    With continuous archiving the same is done with a random moment, and the archive is read.
    Raises OpsError at the first thing that is not as it was when the backup was made.
    """
    started = time.monotonic()
    place = (stack.settings.database + SCRATCH, "--data", _VOLUME)
    with file_lock(repository.lock(stack.settings), "backup.verify"):
        engine.probe(stack.runner)
        service.prepare(stack, reporter)
        service.start_database(stack)

        def stage() -> Manifest:
            words = ("stage", wanted, *place)
            return service.ask(stack, reporter, service.RESTORE, *words, kind=Manifest)

        manifest, found = _try(
            stack, reporter, place, "Restoring into a throw-away database", stage
        )
        moment = _verify_moment(stack, reporter, place)
    record = _record(manifest, found, moment, time.monotonic() - started)
    verified.save(stack.settings, record)
    return record


def _try(
    stack: Stack,
    reporter: Reporter,
    place: Sequence[str],
    title: str,
    stage: Callable[[], Manifest],
    where: str = service.RESTORE,
) -> tuple[Manifest, SmokeTestResult]:
    try:
        with reporter.step(title):
            manifest = stage()
        with reporter.step("Starting Odoo on it, without a way out"):
            found = _use(stack, place[0], list(manifest.files.lost))
    except BaseException:
        service.try_to_discard(stack, reporter, *place, service=where)
        raise
    service.run(stack, reporter, service.RESTORE, "discard", *place)
    return manifest, found


def _verify_moment(stack: Stack, reporter: Reporter, place: Sequence[str]) -> str:
    """The moment that was restored on trial (ISO 8601); '' where nothing is archived yet."""
    known = archive.status(stack) if stack.settings.archive.wanted else None
    chosen = archive.choose(known, random.random()) if known else None  # noqa: S311 - no secret
    if not known or not chosen:
        return ""
    with reporter.step("Reading the continuous archive"):
        service.ask(stack, reporter, service.RECOVERY, "check", "--data", kind=ArchiveCheck)
    try:
        _restore_moment(stack, reporter, place, chosen)
    except OpsError as error:
        last = archive.choose(known, 1.0)
        if not last or not _is_of_the_past(error):
            raise
        reporter.note(f"note: {chosen.shown}: {error.message}. The last moment is tried instead.")
        chosen = last
        _restore_moment(stack, reporter, place, chosen)
    return chosen.text


def _is_of_the_past(error: OpsError) -> bool:
    """Whether nothing is wrong with a moment: the database, or Odoo, was another one then."""
    return any(said in error.message for said in (NO_SUCH_DATABASE, OTHER_ODOO))


def _restore_moment(stack: Stack, reporter: Reporter, place: Sequence[str], moment: Moment) -> None:
    past = Past(moment, stack.settings.database)

    def stage() -> Manifest:
        return staging.stage_moment(stack, reporter, past, *place)

    _try(stack, reporter, place, f"Restoring the moment {moment.shown}", stage, service.RECOVERY)


def _use(stack: Stack, name: str, lost: list[str]) -> SmokeTestResult:
    program = ("python3", "-P", "-m", "toolbox.backup.smoke_test")
    done = service.run_odoo(stack, name, *program, stdin=json.dumps(lost))
    if not done.ok:
        raise OpsError(
            f"the backup restores, but Odoo does not run on it: {done.last_line}",
            "An older one may: inv backup.list",
        )
    return oneoff.answer(SmokeTestResult, done.stdout.splitlines()[-1])


def _record(
    manifest: Manifest, found: SmokeTestResult, moment: str, seconds: float
) -> VerificationRecord:
    return VerificationRecord(
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
        moment=moment,
    )
