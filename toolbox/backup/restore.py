"""Bringing a backup back: beside what is live first, checked there, then in one step.

A staged database has a name of its own (ODOO__restoring), its files a folder of that
name. Nothing live is touched until both are complete and compared with the manifest.
Then the files move into the live filestore, where a file that nobody names does no
harm, and two databases change their names in one transaction: done, or not at all.
"""

import base64
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg2

from toolbox.backup import contents, pg_restore, restic, restored_files, sandbox_result, swap
from toolbox.core import databases, disk_space, filestore, postgres, properties
from toolbox.core.background import Background
from toolbox.core.errors import Failure, refuse
from toolbox.core.progress import say

DATABASE_PER_DUMP = 2  # with its indexes, and the server's log of having made them


def offer(wanted: str) -> dict[str, Any]:
    """A set, what its restore would replace, and a handle by which `stage` finds it again."""
    known = swap.alone(swap.present)
    chosen, manifest = found(wanted)
    about = {**manifest, "stored": asdict(chosen)}
    return {"backup": about, "databases": known, "handle": handle(chosen, manifest)}


def handle(chosen: restic.Parts, manifest: Mapping[str, Any]) -> str:
    """A set and its manifest, for a container that need not ask the repository for them again.

    Encoded: `inv` takes known secrets out of what programs print, and a setting of the
    database, which is put back from the manifest, may hold one.
    """
    found = [dict(chosen.snapshots), dict(chosen.paths), manifest]
    return base64.b64encode(json.dumps(found).encode()).decode()


def handed() -> tuple[restic.Parts, dict[str, Any]]:
    snapshots, paths, manifest = json.loads(base64.b64decode(sys.stdin.read()))
    return restic.Parts(snapshots, paths), manifest


def found(wanted: str) -> tuple[restic.Set, dict[str, Any]]:
    chosen = restic.find(wanted)
    return chosen, restic.manifest(chosen)


def stage(
    chosen: restic.Parts, manifest: dict[str, Any], name: str, live: str, data: Path, odoo: str
) -> dict[str, Any]:
    """Make database and filestore `name` of a set; `live` lends the files it has already."""

    def fill() -> dict[str, Any]:
        _refuse_newer(int(manifest["postgresql"].split(".")[0]), "the backup")
        lent = live and filestore.folder(live).is_dir()
        size, attachments = manifest["dump"]["bytes"], manifest["files"]["bytes"]
        database = size * DATABASE_PER_DUMP
        wanted = [
            (restic.CACHE, size),
            (data, 0 if lent else attachments),
            (disk_space.DATABASE, database),
        ]
        disk_space.need(wanted, "the dump of this backup, its database and files")
        databases.create(name, manifest["collate"], manifest["ctype"], manifest.get("icu"))
        folder = _new_folder(name, data)
        say("restoring database and files")
        lost = manifest["files"].get("lost", {})
        whole = manifest["files"]["count"] - len(lost)
        attachments = restored_files.Files(chosen, folder, live, whole, lost)
        with Background(attachments.begin):
            pg_restore.dump(chosen, name, manifest)
            with closing(postgres.connect(name)) as connection:
                _compare(manifest, connection)
                names = contents.wanted_files(connection)
        if filestore.digest(names) != manifest["files"]["digest"]:
            raise Failure("the restored list of attachments differs from the manifest")
        attachments.finish(names)
        filestore.give_to(data.stat(), folder)
        properties.write(name, manifest.get("properties", {}))  # last: one may be read-only
        return {**manifest, "missing_files": len(lost)}

    return _staging(name, data, odoo, fill)


def _compare(manifest: Mapping[str, Any], connection: Any) -> None:
    """Raises Failure where the restored database is not what the manifest says."""
    _compare_rows(manifest["rows"], contents.row_counts(connection))
    here = contents.about(connection)["extensions"]
    properties.tell_versions(manifest.get("extensions", {}), here)
    found = properties.large_objects(connection)
    if found != manifest.get("large_objects", found):
        raise Failure(f"{manifest['large_objects']} large objects were saved, {found} restored")


def stage_file(file: Path, name: str, live: str, odoo: str) -> dict[str, Any]:
    """Make database (and filestore) `name` of what the sandbox has read out of `file`.

    The file itself is read here only if it is a zip: for the attachments in it.
    """
    answer = sandbox_result.answer(file)

    def fill() -> dict[str, Any]:
        sandbox_result.need_room(answer)
        databases.create(name, "C", "", owner=postgres.RESTORER)
        say("restoring the database")
        pg_restore.fill(
            sandbox_result.DUMP,
            name,
            answer.roles,
            lambda: answer.functions,
            user=postgres.RESTORER,
        )
        with closing(postgres.connect(name)) as connection:
            names = contents.wanted_files(connection)
            about = contents.about(connection)
            rows = contents.row_counts(connection)
        folder = _new_folder(name, filestore.DATA)
        missing = sandbox_result.extract(answer, folder, names) - _lent(live, names)
        filestore.give_to(filestore.DATA.stat(), folder)
        came = {"missing_files": len(missing), "with_files": answer.zip}
        return {**about, **came, "rows": rows, "id": file.name}

    return _staging(name, filestore.DATA, odoo, fill)


def _lent(live: str, names: Iterable[str]) -> set[str]:
    return {n for n in names if live and (filestore.folder(live) / n).is_file()}


def _staging(
    name: str, data: Path, odoo: str, fill: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    postgres.prepare()
    with postgres.exclusive():
        swap.discard(name, data)
        try:
            manifest = fill()
            # Not that of `name`: nothing serves a database beside the platform's own.
            _same_odoo(manifest["odoo"], odoo or _version_of(os.environ.get("ODOO_DATABASE", "")))
        except BaseException:
            _try_to_discard(name, data)
            raise
        finally:
            pg_restore.tidy()
        return {**manifest, "databases": swap.present()}


def _try_to_discard(name: str, data: Path) -> None:
    try:
        swap.discard(name, data)
    except (Failure, psycopg2.Error) as error:  # the first failure is the one to tell
        say(f"what was staged stays until the next restore: {error}")


def _refuse_newer(major: int, what: str) -> None:
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        server = postgres.major(cursor)
    if major > server:
        raise Failure(
            f"{what} was made by PostgreSQL {major}, and the server here is {server}",
            "An older server cannot read a newer one's dump.",
        )


def _version_of(database: str) -> str:
    """The version of the Odoo whose database that is; '' if there is none to be seen."""
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        if not database or not postgres.exists(cursor, database):
            return ""
    with closing(postgres.connect(database)) as connection:
        try:
            return str(contents.about(connection)["odoo"])
        except psycopg2.Error:  # what is live is broken; it is being replaced
            return ""


def _same_odoo(version: str, running: str) -> None:
    if running and running != version:
        raise Failure(
            f"the backup is of Odoo {version}, and Odoo {running} runs here",
            "Run the image of that version, restore, and upgrade then.",
        )


def _compare_rows(wanted: Mapping[str, int], found: Mapping[str, int]) -> None:
    differing = [t for t in wanted if found.get(t) != wanted[t]]
    differing += [t for t in found if t not in wanted]
    refuse("tables have other rows than the manifest says", differing)


def _new_folder(name: str, data: Path) -> Path:
    folder = filestore.folder(name, data)
    folder.mkdir(parents=True)
    return folder
