"""Making a backup: database and filestore of one consistent moment.

Odoo writes a file before it commits the row that names it, and takes files away later,
under a lock on ir_attachment that conflicts with ours. So, in this order: save the
filestore with nothing held, if that takes long; hold off the removal of files, look at
the database at that moment, save the filestore again, which is quick; let go; dump what
was looked at. The manifest comes last: without it, it never was a backup.
"""

import json
import os
import re
import secrets
import subprocess
import time
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import files
import proof
import properties
import psycopg2
import restic
from common import NO_FILES, Background, Failure, filestore, last_line, now, say

import postgres

GUARD_TRIES = 6  # of 10 s each: Odoo's own clean-up may be at work
UNREADABLE = 3  # restic saved all but some files; whether one mattered is seen afterwards


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
        return filestore(self.database)

    def tags(self, part: str) -> list[str]:
        tags = [f"set={self.id}", f"part={part}", f"database={self.database}"]
        return ["--tag", ",".join(tags), "--host", os.uname().nodename, "--json"]


def create(database: str, configuration: dict[str, Any], *, existing: bool) -> dict[str, Any]:
    """Make a backup and return its manifest; what a failed one left is taken away.

    `configuration` is what `inv` wants saved of the installation besides.

    Raises Failure for one that could not be restored, too, which is kept: its files and its
    dump are whole, and an older one has less.
    """
    postgres.prepare()
    with postgres.exclusive() as still_alone:
        before = restic.ready_to_write(existing=existing)
        run = Run(database)
        try:
            manifest, proved = _create(run, before)
            still_alone()
            _commit(run, {**manifest, "configuration": configuration})
        except BaseException:
            _take_back(run)
            raise
    if proved.reason:
        raise Failure(f"the backup {run.id} was saved, but {proved.verdict}", proved.hint)
    return manifest


def _take_back(run: Run) -> None:
    try:
        restic.unlock()
        restic.forget([s["id"] for s in restic.snapshots(f"set={run.id}")])
    except Failure as error:  # nobody lists it anyway, and the first failure is the one to tell
        say(f"leftovers stay until the next `inv backup.prune`: {error.message}")


def _create(run: Run, before: list[restic.Set]) -> tuple[dict[str, Any], proof.Proof]:
    verified = _verified_until(before, run.database)
    # Over a slow line few files may take long, too.
    if run.folder.is_dir() and (restic.is_remote() or files.are_many(run.folder, verified)):
        say("saving the files, a first time without holding off their removal")
        run.prepass_added = _save_files(run, "prepass").get("data_added_packed", 0)
    say("saving the files")
    guard = _guard(run.database)
    with closing(guard), closing(_connect(run.database)) as frozen:
        held = time.monotonic()
        frozen.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with frozen.cursor() as cursor:
            cursor.execute("SELECT pg_export_snapshot()")
            snapshot = cursor.fetchone()[0]
        wanted = postgres.wanted_files(frozen)
        saved = _save_files(run, "files") if run.folder.is_dir() else _no_files(run)
        guard.commit()
        held = time.monotonic() - held
        say("saving the database")
        with Background(lambda: _check_files(run, saved["snapshot_id"], wanted, verified)):
            dump = _dump(run, snapshot)
        about = {**postgres.about(frozen), **_besides(frozen)}
        proved = proof.prove(run.database, frozen, snapshot, about)
        about |= {"functions": proved.functions, "unrestorable": proved.reason}
        return _manifest(run, frozen, about, wanted, saved, dump, held), proved


def _besides(frozen: Any) -> dict[str, Any]:
    return {
        "properties": properties.read(frozen),
        "large_objects": properties.large_objects(frozen),
    }


def _connect(database: str) -> Any:
    connection = postgres.connect(database)
    with connection.cursor() as cursor:
        # A server-wide limit on long or idle transactions must not end this one.
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SET idle_in_transaction_session_timeout = 0")
    connection.commit()
    return connection


def _guard(database: str) -> Any:
    """A transaction that holds off Odoo's removal of files, but nobody who writes."""
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
            raise Failure(f"the database {database!r} is no database of Odoo") from None
    raise Failure("the table of attachments is locked by somebody else for a minute")


def _save_files(run: Run, part: str) -> dict[str, Any]:
    # The snapshot of the first pass stays until the next `inv backup.prune`: it is part of no
    # set, costs nothing, and to forget it would want the repository for itself.
    options = ["--no-scan", "--exclude", str(run.folder / "checklist")]
    accept = (0, UNREADABLE)
    output = restic.run("backup", *run.tags(part), *options, str(run.folder), accept=accept)
    return restic.summary(output)


def _no_files(run: Run) -> dict[str, Any]:
    """A set always has three parts, and this database no attachment in a file yet."""
    name = ["--stdin", "--stdin-filename", NO_FILES]
    return restic.summary(restic.run("backup", *run.tags("files"), *name, stdin=b"-\n"))


def _verified_until(before: list[restic.Set], database: str) -> float:
    """When the last backup of this database began: files as old as that were looked at then."""
    here = os.uname().nodename  # a database of that name elsewhere has other files
    own = [s.id for s in before if (s.database, s.installation) == (database, here)]
    if not own:
        return 0.0
    began = re.match(r"(\d{8}-\d{6})", own[-1])
    assert began
    return datetime.strptime(began[1], "%Y%m%d-%H%M%S").replace(tzinfo=UTC).timestamp() - 1


def _check_files(
    run: Run, snapshot: str, wanted: dict[str, tuple[int | None, str]], verified: float
) -> None:
    """Every attachment of the database is in the set, whole; raises Failure otherwise."""
    hint = "Mend the attachments, or put the files back from an older backup."
    prefix = str(run.folder) + "/"
    missing, cut, fresh = set(wanted), [], []
    for node in restic.listing(snapshot):
        name = node["path"].removeprefix(prefix)
        if name not in missing:
            continue
        missing.discard(name)
        size, checksum = wanted[name]
        other = checksum and checksum != name.rpartition("/")[2]
        if other or (size is not None and size != node["size"]):
            cut.append(name)
        elif _seconds(node.get("ctime") or node["mtime"]) >= verified:
            fresh.append(name)
    files.refuse("attachments have no file in the filestore", missing, hint)
    files.refuse("files of attachments have another size or checksum", cut, hint)
    # Older ones had their turn in an earlier backup: they are named after their content,
    # and a changed one has a new change time.
    damaged = [name for name in files.wrong(run.folder, fresh) if _still_wrong(run, name, snapshot)]
    files.refuse("files of attachments are damaged", damaged, hint)


def _still_wrong(run: Run, name: str, snapshot: str) -> bool:
    """Odoo may have removed a file since we let go: what counts is what was saved."""
    if (run.folder / name).exists():
        return True
    place = str(run.folder / name)
    with restic.start("dump", "--no-lock", snapshot, place, stdout=subprocess.PIPE) as process:
        assert process.stdout
        found = files.hashlib.file_digest(process.stdout, "sha1").hexdigest()
    return process.returncode != 0 or found != name.rpartition("/")[2]


def _seconds(stamp: str) -> float:
    """RFC 3339 with nanoseconds, which Python's own parser does not take."""
    whole, zone = re.fullmatch(r"(.{19})(?:\.\d+)?(.+)", stamp).groups()  # type: ignore[union-attr]
    return datetime.fromisoformat(whole + zone.replace("Z", "+00:00")).timestamp()


def _dump(run: Run, snapshot: str) -> dict[str, Any]:
    dump = ["pg_dump", "--format=custom", "--compress=none", f"--snapshot={snapshot}"]
    program = [*dump, "--no-password", f"--dbname={run.database}"]
    options = ["--stdin-filename", f"{run.database}.dump", "--stdin-from-command", "--"]
    done = subprocess.run(
        restic.command("backup", *run.tags("database"), *options, *program),
        env=restic._environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    errors = done.stderr.decode(errors="replace")
    if done.returncode:
        said = [line for line in errors.splitlines() if "pg_dump: error" in line]
        if said:
            raise Failure(f"pg_dump failed: {said[0].partition('pg_dump: error: ')[2][:300]}")
        raise restic.failed(done.returncode, errors)
    return restic.summary(done.stdout.decode())


def _manifest(
    run: Run, frozen: Any, about: dict[str, Any], wanted: dict[str, Any], saved: dict[str, Any],
    dump: dict[str, Any], held: float,
) -> dict[str, Any]:  # fmt: skip
    rows = postgres.row_counts(frozen)
    return {
        "format": 1,
        "id": run.id,
        "created": now(),
        "installation": os.uname().nodename,
        "database": run.database,
        **about,
        "pg_dump": _version("pg_dump"),
        "restic": _version("restic", "version"),
        "rows": rows,
        "dump": {"bytes": dump["total_bytes_processed"], "snapshot": dump["snapshot_id"]},
        "files": {
            "count": len(wanted),
            "bytes": sum(size or 0 for size, _ in wanted.values()),
            "digest": files.digest(wanted),
            "snapshot": saved["snapshot_id"],
        },
        "guarded_seconds": round(held, 2),
        "seconds": round(time.time() - run.started, 1),
        "added_bytes": run.prepass_added
        + saved.get("data_added_packed", 0)
        + dump.get("data_added_packed", 0),
    }


def _version(program: str, argument: str = "--version") -> str:
    done = subprocess.run([program, argument], capture_output=True, text=True, check=True)
    return last_line(done.stdout).split(" compiled")[0]


def _commit(run: Run, manifest: dict[str, Any]) -> None:
    text = json.dumps(manifest, indent=1, sort_keys=True).encode()
    tags = run.tags("manifest")
    tags[1] += f",odoo={manifest['odoo']},prepass={run.prepass_added}"
    tags[1] += ",restorable=no" if manifest["unrestorable"] else ""
    restic.run("backup", *tags, "--stdin", "--stdin-filename", "manifest.json", stdin=text)
