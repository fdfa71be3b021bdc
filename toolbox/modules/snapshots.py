"""Snapshots of a database and its files, made in seconds, and going back to one.

A snapshot is a copy of the database by PostgreSQL itself, and a second name for every file
of its filestore: Odoo never changes a file, it only makes and removes them. What it is for
is said in the database's own comment; a copy without one was never complete.
"""

import json
import os
import re
import shutil
import time
from contextlib import closing
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from psycopg2 import sql

from toolbox.contract import names
from toolbox.contract.changes import Snapshot
from toolbox.contract.codec import decode
from toolbox.core import database_copy, databases, disk_space, filestore, postgres, properties
from toolbox.core.errors import Failure
from toolbox.core.progress import note

OPEN, CLOSED = "open", "closed"
_MARGIN = 1.2  # of the size of the database; the server's log grows as well
BUSY = "Wait for that to end, or give more time: --max-lock-wait SECONDS."
_SPACE_HINT = "inv module.prune frees what older snapshots hold; --no-snapshot goes without one."


def require_name(database: str) -> None:
    """Raises Failure for a name to which no suffix can be added, or that is the name of a copy."""
    if not re.fullmatch(names.SNAPSHOT_SOURCE, database):
        raise Failure(
            f"{database!r} cannot have snapshots",
            "Its name must have at most 50 letters, digits, _ . - and no ending of a copy.",
        )


def take(database: str, doing: str, patience: int) -> Snapshot:
    """Make one; raises Failure if there is no space, or a session stays connected."""
    _sweep(database)
    require_space(database)
    name = _new_name(database)
    made = datetime.now(UTC).isoformat(timespec="seconds")
    snapshot = Snapshot(
        name=name, database=database, doing=doing, made=made, state=OPEN, remark=_remark(database)
    )
    try:
        database_copy.copy(database, name, patience, BUSY)
        link(database, name)
        _write(snapshot)
    except BaseException:
        drop(name)
        raise
    return snapshot


def _remark(database: str) -> str | None:
    """The comment of `database`, also where an interrupted `exchange` has written over it."""
    with closing(postgres.connect(database)) as connection:
        text: str | None = properties.read(connection)["comment"]
    ours = _parsed(database, text or "", 0, database)
    return ours.remark if ours.made else text


def _new_name(database: str) -> str:
    taken = {s.name for s in list_of(database)}
    number = int(time.time())
    while f"{database}__s{number}" in taken:
        number += 1
    return f"{database}__s{number}"


def link(source: str, target: str) -> None:
    """Give every file of the filestore of `source` a second name in that of `target`."""
    folder = filestore.folder(source)
    if folder.is_dir():
        filestore.folder(target).mkdir(parents=True)
        filestore.link_all(folder, filestore.folder(target))


def _write(snapshot: Snapshot, database: str = "") -> None:
    """Enter what `snapshot` is in the comment of its database, or of what will become that."""
    with closing(postgres.connect()) as connection, connection, connection.cursor() as cursor:
        name = sql.Identifier(database or snapshot.name)
        text = sql.Literal(_comment(snapshot))
        cursor.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(name, text))
        if not database:
            databases.accept_connections(cursor, snapshot.name, accept=False)


def close(snapshot: Snapshot) -> None:
    """The change is kept: mark its snapshot as one of the past."""
    _write(replace(snapshot, state=CLOSED))


def list_of(database: str) -> list[Snapshot]:
    """The snapshots of a database, the oldest first."""
    return [s for s in _all(database) if s.made]


def unfinished(database: str) -> Snapshot | None:
    """That of a change which was neither kept nor undone, because its process died."""
    found = [s for s in list_of(database) if s.state == OPEN]
    return found[-1] if found else None


def _all(database: str) -> list[Snapshot]:
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT datname, coalesce(shobj_description(oid, 'pg_database'), ''),"
            " pg_database_size(oid) FROM pg_database WHERE datname ~ %s ORDER BY datname",
            (f"^{re.escape(database)}{names.SNAPSHOT}$",),
        )
        return [_parsed(name, text, size, database) for name, text, size in cursor.fetchall()]


def _parsed(name: str, comment: str, size: int, database: str) -> Snapshot:
    try:
        values = json.loads(comment)
        own = {"name": name, "database": database, "bytes": size}
        return decode(Snapshot, {**values, **own})
    except (ValueError, TypeError):  # another comment, or of a copy that was never complete
        return Snapshot(name=name, database=database, doing="", made="", state=CLOSED, bytes=size)


def _comment(snapshot: Snapshot) -> str:
    """What the comment of its database says."""
    values = asdict(snapshot)
    return json.dumps({key: values[key] for key in values if key not in ("name", "bytes")})


def _sweep(database: str) -> None:
    """Drop what runs that died have left incomplete."""
    for snapshot in _all(database):
        if not snapshot.made:
            drop(snapshot.name)
    drop(database + names.REVERTED)
    known = {s.name for s in _all(database)}
    for folder in filestore.folder(database).parent.glob(f"{database}__s*"):
        if (
            re.fullmatch(re.escape(database) + names.SNAPSHOT, folder.name)
            and folder.name not in known
        ):
            shutil.rmtree(folder, ignore_errors=True)


def drop(name: str) -> None:
    """Drop a copy, its database as well as its files."""
    databases.drop(name)
    shutil.rmtree(filestore.folder(name), ignore_errors=True)


def require_space(database: str) -> None:
    """Raises Failure if a copy would leave less than the reserve of PostgreSQL's volume free.

    A server without space for its own log does not report an error, it crashes.
    """
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(%s)", (database,))
        wanted = int(cursor.fetchone()[0] * _MARGIN)
    disk_space.require([(disk_space.DATABASE, wanted)], f"a copy of {database!r}", _SPACE_HINT)


def put_back(snapshot: Snapshot) -> None:
    """Put the state of `snapshot` back, to the last row and file; this uses it up.

    May be run again where it was interrupted.
    """
    database, aside = snapshot.database, snapshot.database + names.REVERTED
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        waiting = postgres.exists(cursor, snapshot.name)
        present = postgres.exists(cursor, database)
    _return_files(snapshot)
    if waiting:
        pairs = [(database, aside)] if present else []
        databases.rename([*pairs, (snapshot.name, database)])
    _finish(snapshot)
    databases.drop(aside)


def database_exists(database: str) -> bool:
    """Whether the database itself exists."""
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        return postgres.exists(cursor, database)


def put_back_missing(snapshot: Snapshot) -> None:
    """Put the state of `snapshot` in the place of a database that is missing.

    Files that it does not name stay: another copy may need them.
    """
    _return_files(snapshot)
    databases.rename([(snapshot.name, snapshot.database)])
    shutil.rmtree(filestore.folder(snapshot.name), ignore_errors=True)
    properties.comment(snapshot.database, snapshot.remark)


def exchange(snapshot: Snapshot) -> Snapshot:
    """Go back to `snapshot`; what is there now becomes a snapshot itself, which is returned."""
    database = snapshot.database
    present = Snapshot(
        name=_new_name(database),
        database=database,
        doing=f"going back to {snapshot.made}",
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        state=OPEN,
        remark=_remark(database),
    )
    link(database, present.name)
    _return_files(snapshot)
    _write(present, database)  # before: what has no comment counts as half-made
    databases.rename([(database, present.name), (snapshot.name, database)])
    _finish(snapshot)
    return present


def _return_files(snapshot: Snapshot) -> None:
    """Link into the live filestore what it has lost; files that it does not need do no harm."""
    live, kept = filestore.folder(snapshot.database), filestore.folder(snapshot.name)
    for name in _names(kept):
        if not (live / name).exists():
            (live / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(kept / name, live / name)


def _finish(snapshot: Snapshot) -> None:
    """After the databases were renamed: remove files and comments that are obsolete."""
    live, kept = filestore.folder(snapshot.database), filestore.folder(snapshot.name)
    if kept.is_dir():
        for name in _names(live) - _names(kept):
            (live / name).unlink()
        shutil.rmtree(kept, ignore_errors=True)
    properties.comment(snapshot.database, snapshot.remark)


def _names(folder: Path) -> set[str]:
    found = (p for p in folder.glob("*/*") if p.is_file() and p.parent.name != "checklist")
    return {str(path.relative_to(folder)) for path in found}


def find(database: str, name: str) -> Snapshot:
    """The snapshot called `name`, or a unique beginning or end of that; the last if empty."""
    known = list_of(database)
    chosen = [s for s in known if s.name.endswith(name) or s.name.startswith(name)]
    if not known:
        hint = "The next change of modules makes one. See: inv module.snapshots"
        raise Failure(f"there is no snapshot of {database!r}", hint)
    if not name or len(chosen) == 1:
        return chosen[-1]
    raise Failure(f"{name!r} does not name exactly one snapshot", "See: inv module.snapshots")


def prune(database: str, keep: int) -> list[Snapshot]:
    """Drop all but the last `keep`, and what is incomplete; returns the dropped ones."""
    _sweep(database)
    done, gone = [s for s in list_of(database) if s.state == CLOSED], []
    for snapshot in done[: max(0, len(done) - keep)]:
        try:
            drop(snapshot.name)
            gone.append(snapshot)
        except Failure as error:
            note(error.message)
    return gone


def prune_exclusively(database: str, keep: int) -> list[Snapshot]:
    """As `prune`, while nothing else changes anything."""
    with postgres.advisory_lock("inv module.prune"):
        return prune(database, keep)
