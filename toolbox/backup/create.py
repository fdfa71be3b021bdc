"""Making a backup: database and filestore of one consistent moment.

Odoo writes a file before it commits the row that names it, and takes files away later,
under a lock on ir_attachment that conflicts with ours. So, in this order: save the
filestore with nothing held, if that takes long; hold off the removal of files, take a
snapshot of the database at that moment, save the filestore again, which is quick; release
the lock; dump the snapshot. The manifest comes last: a set without it is no backup.
"""

import json
import os
import secrets
import subprocess
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2

from toolbox.backup import contents, proof, repository, restic
from toolbox.backup import saved_files as attachments
from toolbox.contract.backups import Manifest, Parts, SavedDump, SavedFiles
from toolbox.core import filestore, postgres, properties
from toolbox.core.background import Background
from toolbox.core.errors import Failure
from toolbox.core.progress import Percentage, say
from toolbox.core.text import last_line, now

GUARD_TRIES = 6  # of 10 s each: Odoo's own clean-up may be at work


@dataclass
class Run:
    """One backup on its way."""

    database: str
    id: str = field(
        default_factory=lambda: f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    )
    started: float = field(default_factory=time.time)
    prepass_added: int = 0

    @property
    def folder(self) -> Path:
        return filestore.folder(self.database)

    def tags(self, part: str) -> list[str]:
        tags = [f"set={self.id}", f"part={part}", f"database={self.database}"]
        return ["--tag", ",".join(tags), "--host", os.uname().nodename, "--json"]


class Made(NamedTuple):
    """A backup as the repository has it, and its manifest."""

    parts: Parts
    manifest: Manifest


def create(database: str, configuration: dict[str, Any], *, existing: bool) -> Made:
    """Make a backup and return its manifest; what a failed one has saved is removed.

    `configuration` is what `inv` saves of the installation along with it.

    One in which attachments have no file, or no whole one, is complete: it names them. Raises
    Failure for one that could not be restored, which is kept, too: its files and its dump are
    whole, and an older one has less.
    """
    postgres.prepare()
    with postgres.advisory_lock("inv backup") as require_lock:
        repository.require_repository(existing=existing)
        run = Run(database)
        try:
            made, proved = _create(run)
            require_lock()
            _commit(run, made.manifest, configuration)
            attachments.remember(database, run.started, made.manifest.files.lost)
        except BaseException:
            _take_back(run)
            raise
    if proved.reason:
        raise Failure(f"the backup {run.id} was saved, but {proved.verdict}", proved.hint)
    return made


def _take_back(run: Run) -> None:
    try:
        restic.unlock()
        restic.forget([s["id"] for s in restic.snapshots(f"set={run.id}")])
    except Failure as error:  # it is not listed, and the first failure is the one to report
        say(f"what was saved stays until the next `inv backup.prune`: {error.message}")


def _create(run: Run) -> tuple[Made, proof.Proof]:
    verified = attachments.verified(run.database)
    _save_in_advance(run, verified)
    say("saving the files")
    Percentage("saving the files").begin()
    guard = _guard(run.database)
    with closing(guard), closing(_connect(run.database)) as frozen:
        held = time.monotonic()
        frozen.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with frozen.cursor() as cursor:
            cursor.execute("SELECT pg_export_snapshot()")
            snapshot = cursor.fetchone()[0]
        wanted = contents.wanted_files(frozen)
        saved = _save_files(run)
        guard.commit()
        held = time.monotonic() - held
        say("saving the database")
        with Background(lambda: attachments.lost(saved, run.folder, wanted, verified)) as looking:
            dump = _dump(run, snapshot, contents.estimated_dump(frozen))
        Percentage("trying to restore its schema").begin()
        manifest, proved = _describe(run, frozen, snapshot)
        manifest = replace(
            manifest,
            dump=SavedDump(bytes=dump["total_bytes_processed"], snapshot=dump["snapshot_id"]),
            files=_describe_files(wanted, saved, looking.answer),
            guarded_seconds=round(held, 2),
            seconds=round(time.time() - run.started, 1),
            added_bytes=run.prepass_added + _added(saved.summary) + _added(dump),
        )
        return Made(_parts(run, saved, dump), manifest), proved


def _save_in_advance(run: Run, verified: attachments.Verified) -> None:
    """Save the filestore with nothing locked, if that takes long."""
    if not run.folder.is_dir():
        return
    # Over a slow line few files may take long, too.
    if restic.is_remote() or filestore.take_long_to_save(run.folder, verified.until):
        say("saving the files, a first time without holding off their removal")
        # The snapshot of the first pass stays until the next `inv backup.prune`: it is part of
        # no set, costs nothing, and forgetting it needs an exclusive lock on the repository.
        told = Percentage("saving the files")
        first = attachments.save(run.folder, run.tags("prepass"), told)
        run.prepass_added = _added(first.summary)


def _describe(run: Run, frozen: Any, snapshot: str) -> tuple[Manifest, proof.Proof]:
    """What the database says of itself, and whether its dump can be restored."""
    about, own = contents.describe(frozen), properties.read(frozen)
    proved = proof.try_restore(run.database, frozen, snapshot, about)
    manifest = Manifest(
        **vars(about),
        id=run.id,
        created=now(),
        installation=os.uname().nodename,
        database=run.database,
        rows=contents.row_counts(frozen),
        dump=SavedDump(bytes=0),
        files=SavedFiles(count=0, bytes=0),
        properties=own,
        large_objects=properties.large_objects(frozen),
        functions=proved.functions,
        unrestorable=proved.reason,
        pg_dump=_version("pg_dump"),
        restic=_version("restic", "version"),
    )
    return manifest, proved


def _describe_files(
    wanted: Mapping[str, tuple[int | None, str]], saved: attachments.Saved, lost: Mapping[str, str]
) -> SavedFiles:
    return SavedFiles(
        count=len(wanted),
        bytes=sum(size or 0 for size, _ in wanted.values()),
        digest=filestore.digest(wanted),
        snapshot=saved.summary["snapshot_id"],
        lost=lost,
    )


def _added(summary: Mapping[str, Any]) -> int:
    return int(summary.get("data_added_packed", 0))


def _parts(run: Run, saved: attachments.Saved, dump: dict[str, Any]) -> Parts:
    snapshots = {"files": saved.summary["snapshot_id"], "database": dump["snapshot_id"]}
    paths = {"files": saved.path, "database": f"/{run.database}.dump"}
    return Parts(snapshots=snapshots, paths=paths)


def _connect(database: str) -> Any:
    connection = postgres.connect(database)
    with connection.cursor() as cursor:
        # A server-wide limit on long or idle transactions must not end this one.
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SET idle_in_transaction_session_timeout = 0")
    connection.commit()
    return connection


def _guard(database: str) -> Any:
    """A transaction that blocks Odoo's removal of files, but no writes."""
    connection = _connect(database)
    for _ in range(GUARD_TRIES):
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '10s'")
                cursor.execute("LOCK TABLE ir_attachment IN ROW EXCLUSIVE MODE")
            return connection
        except psycopg2.errors.LockNotAvailable:
            connection.rollback()
        except psycopg2.errors.UndefinedTable:
            raise Failure(f"the database {database!r} is not a database of Odoo") from None
    raise Failure("the table ir_attachment has been locked by another session for a minute")


def _save_files(run: Run) -> attachments.Saved:
    if run.folder.is_dir():
        return attachments.save(run.folder, run.tags("files"))
    # A set always has three parts, and this database no attachment in a file yet.
    name = ["--stdin", "--stdin-filename", restic.NO_FILES]
    output = restic.run("backup", *run.tags("files"), *name, stdin=b"-\n")
    return attachments.Saved(restic.NO_FILES, run.started, restic.summary(output))


def _dump(run: Run, snapshot: str, estimate: int) -> dict[str, Any]:
    """Save the dump of the database, of `estimate` bytes or so; what restic says of it."""
    dump = ["pg_dump", "--format=custom", "--compress=none", f"--snapshot={snapshot}"]
    program = [*dump, "--no-password", f"--dbname={run.database}"]
    options = ["--stdin-filename", f"{run.database}.dump", "--stdin-from-command", "--"]
    told, summary = Percentage("saving the database"), {}
    command = ("backup", *run.tags("database"), *options, *program)
    for message in restic.messages(*command, failing=_dump_failure, stdin=subprocess.DEVNULL):
        if message["message_type"] == "status" and estimate:
            told.tell(message.get("bytes_done", 0) / estimate)
        elif message["message_type"] == "summary":
            summary = message
    return summary


def _dump_failure(code: int, errors: str) -> Failure:
    said = [line for line in errors.splitlines() if "pg_dump: error" in line]
    if said:
        return Failure(f"pg_dump failed: {said[0].partition('pg_dump: error: ')[2][:300]}")
    return restic.failure(code, errors)


def _version(program: str, argument: str = "--version") -> str:
    done = subprocess.run([program, argument], capture_output=True, text=True, check=True)
    return last_line(done.stdout).split(" compiled")[0]


def _commit(run: Run, manifest: Manifest, configuration: Mapping[str, Any]) -> None:
    text = json.dumps(
        {**asdict(manifest), "configuration": configuration}, indent=1, sort_keys=True
    )
    tags = run.tags("manifest")
    tags[1] += f",odoo={manifest.odoo},prepass={run.prepass_added}"
    tags[1] += ",restorable=no" if manifest.unrestorable else ""
    tags[1] += f",lost={len(manifest.files.lost)}" if manifest.files.lost else ""
    name = ["--stdin", "--stdin-filename", "manifest.json"]
    restic.run("backup", *tags, *name, stdin=text.encode())
