"""Restoring a backup beside what is live, where it is compared with its manifest.

A staged database has a name of its own (ODOO__restoring), its files a folder of that
name. Nothing live is touched until both are complete; swap.py puts them in its place.
"""

import base64
import json
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2

from toolbox.backup import contents, pg_restore, restic, restored_files, sandbox_result, swap
from toolbox.contract import names
from toolbox.contract.backups import (
    Manifest,
    Parts,
    RestoreOffer,
    ShownBackup,
    StagedBackup,
    StageResult,
    StoredBackup,
)
from toolbox.contract.codec import decode, to_json
from toolbox.contract.messages import OTHER_ODOO
from toolbox.core import databases, disk_space, filestore, postgres, properties
from toolbox.core.background import Background
from toolbox.core.errors import Failure, require_none
from toolbox.core.progress import Percentage, say

DATABASE_PER_DUMP = 2  # with its indexes, and the server's log of having made them


def offer(wanted: str) -> RestoreOffer:
    """A set, what its restore would replace, and a handle by which `stage` finds it again."""
    present = swap.exclusively(swap.present)
    chosen, manifest = find(wanted)
    shown = ShownBackup(**vars(manifest), stored=chosen)
    return RestoreOffer(backup=shown, databases=present, handle=handle(chosen, manifest))


def handle(chosen: Parts, manifest: Manifest) -> str:
    """A set and its manifest, for a container that need not ask the repository for them again.

    Encoded: `inv` masks known secrets in what programs print, and a setting of the
    database, which is put back from the manifest, may hold one.
    """
    where = Parts(snapshots=dict(chosen.snapshots), paths=dict(chosen.paths))
    return base64.b64encode(f"[{to_json(where)}, {to_json(manifest)}]".encode()).decode()


def read_handle() -> tuple[Parts, Manifest]:
    """The set and manifest of the handle in standard input."""
    parts, manifest = json.loads(base64.b64decode(sys.stdin.read()))
    return decode(Parts, parts), decode(Manifest, manifest)


def find(wanted: str) -> tuple[StoredBackup, Manifest]:
    """The set named `wanted`, and its manifest."""
    chosen = restic.find(wanted)
    return chosen, restic.manifest(chosen)


def stage(
    chosen: Parts, manifest: Manifest, name: str, live: str, data: Path, odoo: str
) -> StagedBackup:
    """Make database and filestore `name` of a set; files are linked from that of `live`."""
    with staging(name, data):
        _require_readable(int(manifest.postgresql.split(".")[0]))
        require_space(manifest, live, data)
        lost = manifest.files.lost
        missing = fill(
            manifest,
            Target(name, live, data),
            restored_files.sources(chosen),
            lambda told: pg_restore.dump(chosen, name, manifest, told),
            lost=lost,
        )
        require_none("restored files are damaged or missing", missing)
        require_same_odoo(manifest.odoo, odoo)
        return StagedBackup(
            **vars(manifest), databases=swap.present(), missing_files=len(manifest.files.lost)
        )


class Target(NamedTuple):
    """Where a restore goes to."""

    name: str  # of the database
    live: str  # the database whose files are linked from; '' if none are
    data: Path


def fill(
    manifest: Manifest,
    target: Target,
    sources: Sequence[str],
    load: Callable[[Percentage], None],
    *,
    lost: Collection[str] = (),
) -> set[str]:
    """Make the database and its files, as `manifest` says; the attachments that have no file.

    `load` fills the empty database, beside which files are restored from `sources`, folders in
    snapshots. Raises Failure where anything differs from the manifest.
    """
    name, live, data = target
    databases.create(name, manifest.collate, manifest.ctype, manifest.icu)
    folder = _new_folder(name, data)
    say("restoring database and files")
    told = Percentage("database and files")
    whole = manifest.files.count - len(lost)
    attachments = restored_files.AttachmentRestore(sources, folder, live, whole, lost, told)
    with Background(attachments.begin):
        load(told)
        with closing(postgres.connect(name)) as connection:
            Percentage("comparing").begin()
            _compare(manifest, connection)
            wanted = contents.wanted_files(connection)
    if filestore.digest(wanted) != manifest.files.digest:
        raise Failure("the restored list of attachments differs from the manifest")
    missing = attachments.finish(wanted)
    filestore.change_owner(data.stat(), folder)
    properties.write(name, manifest.properties)  # last: one may be read-only
    return missing


def require_space(manifest: Manifest, live: str, data: Path) -> None:
    """Raises NoSpaceError where there is none for the dump, the database or its files."""
    linked = bool(live) and filestore.folder(live).is_dir()
    wanted = [
        (restic.CACHE, manifest.dump.bytes),
        (data, 0 if linked else manifest.files.bytes),
        (disk_space.DATABASE, manifest.dump.bytes * DATABASE_PER_DUMP),
    ]
    disk_space.require(wanted, "the dump of this backup, its database and files")


def _compare(manifest: Manifest, connection: Any) -> None:
    """Raises Failure where the restored database is not what the manifest says."""
    _compare_rows(manifest.rows, contents.row_counts(connection))
    here = contents.describe(connection).extensions
    properties.note_other_versions(manifest.extensions, here)
    found = properties.large_objects(connection)
    if manifest.large_objects not in (None, found):
        raise Failure(f"{manifest.large_objects} large objects were saved, {found} restored")


def stage_file(file: Path, name: str, live: str, odoo: str) -> StageResult:
    """Make database (and filestore) `name` of what the sandbox has read out of `file`.

    The file itself is read here only if it is a zip: for the attachments in it.
    """
    answer = sandbox_result.read(file)
    with staging(name, filestore.DATA):
        sandbox_result.require_space(answer)
        databases.create(name, "C", "", owner=names.RESTORER)
        say("restoring the database")
        pg_restore.fill(
            sandbox_result.DUMP,
            name,
            answer.roles,
            lambda: answer.functions,
            user=names.RESTORER,
            told=Percentage("database"),
        )
        with closing(postgres.connect(name)) as connection:
            wanted = contents.wanted_files(connection)
            about = contents.describe(connection)
        folder = _new_folder(name, filestore.DATA)
        missing = sandbox_result.extract(answer, folder, wanted) - _linked(live, wanted)
        filestore.change_owner(filestore.DATA.stat(), folder)
        require_same_odoo(about.odoo, odoo)
        return StageResult(
            id=file.name,
            databases=swap.present(),
            missing_files=len(missing),
            with_files=answer.zip,
        )


def _linked(live: str, wanted: Iterable[str]) -> set[str]:
    return {n for n in wanted if live and (filestore.folder(live) / n).is_file()}


@contextmanager
def staging(name: str, data: Path) -> Iterator[None]:
    """While nothing else works on databases: what a block that fails has staged is dropped."""
    postgres.prepare()
    with postgres.advisory_lock("inv restore"):
        swap.discard(name, data)
        try:
            yield
        except BaseException:
            _try_to_discard(name, data)
            raise
        finally:
            pg_restore.clean_up()


def _try_to_discard(name: str, data: Path) -> None:
    try:
        swap.discard(name, data)
    except (Failure, psycopg2.Error) as error:  # the first failure is the one to report
        say(f"what was staged stays until the next restore: {error}")


def _require_readable(major: int) -> None:
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        server = postgres.major(cursor)
    if major > server:
        raise Failure(
            f"the backup was made by PostgreSQL {major}, and the server here is {server}",
            "An older server cannot read a newer one's dump.",
        )


def require_same_odoo(version: str, running: str) -> None:
    """Raises Failure unless `version` is that of the Odoo here.

    `running` is known by the host; if empty, it is that of the platform's own database: no
    server has another one.
    """
    running = running or _version_of(os.environ.get("ODOO_DATABASE", ""))
    if running and running != version:
        raise Failure(
            f"{OTHER_ODOO} {version}, and Odoo {running} runs here",
            "Run the image of that version, restore, and upgrade then.",
        )


def _version_of(database: str) -> str:
    """The version of the Odoo whose database that is; '' if it cannot be read."""
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        if not database or not postgres.exists(cursor, database):
            return ""
    with closing(postgres.connect(database)) as connection:
        try:
            return contents.describe(connection).odoo
        except psycopg2.Error:  # the live database is broken; it is being replaced
            return ""


def _compare_rows(wanted: Mapping[str, int], found: Mapping[str, int]) -> None:
    differing = [t for t in wanted if found.get(t) != wanted[t]]
    differing += [t for t in found if t not in wanted]
    require_none("tables have other rows than the manifest says", differing)


def _new_folder(name: str, data: Path) -> Path:
    folder = filestore.folder(name, data)
    folder.mkdir(parents=True)
    return folder
