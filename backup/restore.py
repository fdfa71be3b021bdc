"""Bringing a backup back: beside what is live first, checked there, then in one step.

A staged database has a name of its own (ODOO__restoring), its files a folder of that
name. Nothing live is touched until both are complete and compared with the manifest.
Then the files move into the live filestore, where a file that nobody names does no
harm, and two databases change their names in one transaction: done, or not at all.
"""

import base64
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import files
import handed
import harmless
import load
import properties
import psycopg2
import restic
import restored
import room
from common import CACHE, DATA, STAGED, Background, Failure, filestore, say

import postgres

DATABASE_PER_DUMP = 2  # with its indexes, and the server's log of having made them
BEFORE = "__before"


def add_commands(
    add: Callable[..., None], identity: tuple[str, dict[str, Any]], given: dict[str, Any]
) -> None:
    """The commands of a restore, for the program's command line."""
    add("offer", lambda given: _offer(given.id), identity)
    name = ("name", {})
    live = ("--live", {"default": ""})
    data = ("--data", {"default": str(DATA)})
    odoo = ("--odoo", {"default": ""})
    add("stage",
        lambda given: stage(
            *(_handed() if given.handle else _found(given.id)),
            given.name, given.live, Path(given.data), given.odoo),
        ("id", {}), name, live, data, odoo, ("--handle", given))  # fmt: skip
    add("stage-file",
        lambda given: stage_file(Path(given.file), given.name, given.live, given.odoo),
        ("file", {}), name, live, odoo)  # fmt: skip
    add("swap", lambda given: _alone(lambda: swap(given.name, scan=given.scan)), name,
        ("--scan", {"action": "store_true"}))  # fmt: skip
    add("back", lambda given: _alone(lambda: back(given.name)), name)
    add("discard", lambda given: _alone(lambda: discard(given.name, Path(given.data))), name, data)
    add("databases", lambda _: _alone(_databases))
    add("scan", lambda given: _alone(lambda: _scan(given.name)), name)


def _alone(work: Callable[[], Any]) -> Any:
    postgres.prepare()
    with postgres.exclusive():
        return work()


def _databases() -> dict[str, int]:
    """Names and numbers: a database that changed its name keeps its number."""
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT datname, oid::int8 FROM pg_database WHERE NOT datistemplate")
        return dict(cursor.fetchall())


def _scan(name: str) -> dict[str, Any]:
    return {**harmless.scan(name), "databases": _databases()}


def _offer(wanted: str) -> dict[str, Any]:
    """A set, what its restore would replace, and a handle by which `stage` finds it again."""
    databases = _alone(_databases)
    chosen, manifest = _found(wanted)
    about = {**manifest, "stored": asdict(chosen)}
    return {"backup": about, "databases": databases, "handle": handle(chosen, manifest)}


def handle(chosen: restic.Parts, manifest: Mapping[str, Any]) -> str:
    """A set and its manifest, for a container that need not ask the repository for them again.

    Encoded: `inv` takes known secrets out of what programs print, and a setting of the
    database, which is put back from the manifest, may hold one.
    """
    found = [dict(chosen.snapshots), dict(chosen.paths), manifest]
    return base64.b64encode(json.dumps(found).encode()).decode()


def _handed() -> tuple[restic.Parts, dict[str, Any]]:
    snapshots, paths, manifest = json.loads(base64.b64decode(sys.stdin.read()))
    return restic.Parts(snapshots, paths), manifest


def _found(wanted: str) -> tuple[restic.Set, dict[str, Any]]:
    chosen = restic.find(wanted)
    return chosen, restic.manifest(chosen)


def stage(
    chosen: restic.Parts, manifest: dict[str, Any], name: str, live: str, data: Path, odoo: str
) -> dict[str, Any]:
    """Make database and filestore `name` of a set; `live` lends the files it has already."""

    def fill() -> dict[str, Any]:
        _refuse_newer(int(manifest["postgresql"].split(".")[0]), "the backup")
        lent = live and filestore(live).is_dir()
        size, attachments = manifest["dump"]["bytes"], manifest["files"]["bytes"]
        database = size * DATABASE_PER_DUMP
        wanted = [(CACHE, size), (data, 0 if lent else attachments), (room.DATABASE, database)]
        room.need(wanted, "the dump of this backup, its database and files")
        load.create(name, manifest["collate"], manifest["ctype"], manifest.get("icu"))
        folder = _new_folder(name, data)
        say("restoring database and files")
        lost = manifest["files"].get("lost", {})
        whole = manifest["files"]["count"] - len(lost)
        attachments = restored.Files(chosen, folder, live, whole, lost)
        with Background(attachments.begin):
            load.dump(chosen, name, manifest)
            with closing(postgres.connect(name)) as connection:
                _compare(manifest, connection)
                names = postgres.wanted_files(connection)
        if files.digest(names) != manifest["files"]["digest"]:
            raise Failure("the restored list of attachments differs from the manifest")
        attachments.finish(names)
        files.give_to(data.stat(), folder)
        properties.write(name, manifest.get("properties", {}))  # last: one may be read-only
        return {**manifest, "missing_files": len(lost)}

    return _staging(name, live, data, odoo, fill)


def _compare(manifest: Mapping[str, Any], connection: Any) -> None:
    """Raises Failure where the restored database is not what the manifest says."""
    _compare_rows(manifest["rows"], postgres.row_counts(connection))
    here = postgres.about(connection)["extensions"]
    properties.tell_versions(manifest.get("extensions", {}), here)
    found = properties.large_objects(connection)
    if found != manifest.get("large_objects", found):
        raise Failure(f"{manifest['large_objects']} large objects were saved, {found} restored")


def stage_file(file: Path, name: str, live: str, odoo: str) -> dict[str, Any]:
    """Make database (and filestore) `name` of what the sandbox has read out of `file`.

    The file itself is read here only if it is a zip: for the attachments in it.
    """
    answer = handed.answer(file)

    def fill() -> dict[str, Any]:
        handed.need_room(answer)
        load.create(name, "C", "", owner=postgres.RESTORER)
        say("restoring the database")
        load.fill(handed.DUMP, name, answer.roles, lambda: answer.functions, user=postgres.RESTORER)
        with closing(postgres.connect(name)) as connection:
            names = postgres.wanted_files(connection)
            about = postgres.about(connection)
            rows = postgres.row_counts(connection)
        folder = _new_folder(name, DATA)
        missing = handed.extract(answer, folder, names) - _lent(live, names)
        files.give_to(DATA.stat(), folder)
        came = {"missing_files": len(missing), "with_files": answer.zip}
        return {**about, **came, "rows": rows, "id": file.name}

    return _staging(name, live, DATA, odoo, fill)


def _lent(live: str, names: Iterable[str]) -> set[str]:
    return {n for n in names if live and (filestore(live) / n).is_file()}


def _staging(
    name: str, live: str, data: Path, odoo: str, fill: Callable[[], dict[str, Any]]
) -> Any:
    postgres.prepare()
    with postgres.exclusive():
        discard(name, data)
        try:
            manifest = fill()
            # Not that of `name`: nothing serves a database beside the platform's own.
            _same_odoo(manifest["odoo"], odoo or _version_of(os.environ.get("ODOO_DATABASE", "")))
        except BaseException:
            _try_to_discard(name, data)
            raise
        finally:
            load.tidy()
        return {**manifest, "databases": _databases()}


def _try_to_discard(name: str, data: Path) -> None:
    try:
        discard(name, data)
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
            return str(postgres.about(connection)["odoo"])
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
    files.refuse("tables have other rows than the manifest says", differing)


def _new_folder(name: str, data: Path) -> Path:
    folder = filestore(name, data)
    folder.mkdir(parents=True)
    return folder


def discard(name: str, data: Path = DATA) -> dict[str, Any]:
    """Take away a staged database and its files; what is not there is no error."""
    if not name.endswith((STAGED, BEFORE, "__drill", "__clone")):
        raise Failure(f"{name!r} is no staged database")
    postgres.drop(name)
    shutil.rmtree(filestore(name, data), ignore_errors=True)
    return {"discarded": name}


def swap(name: str, *, scan: bool = False) -> dict[str, Any]:
    """Put the staged database in the place of `name`, which is kept as `name`__before.

    With `scan` it has to pass the scan of clones.
    """
    staged = name + STAGED
    if scan:
        harmless.scan(staged)
    with closing(postgres.connect(staged)) as connection:
        names = postgres.wanted_files(connection)
    postgres.adopt(staged)
    source, target = filestore(staged), filestore(name)
    if not target.is_dir():
        target.mkdir()
        shutil.copystat(source, target)
        os.chown(target, DATA.stat().st_uid, DATA.stat().st_gid)
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        replaced = postgres.exists(cursor, name)
    if replaced:
        discard(name + BEFORE)
        files.keep(target, filestore(name + BEFORE))
    new = files.merge(source, target, [n for n in names if (source / n).is_file()])
    files.mark_unused(target, names)
    files.give_to(DATA.stat(), target)
    postgres.rename([(name, name + BEFORE)] * replaced + [(staged, name)])
    shutil.rmtree(source, ignore_errors=True)
    return {"database": name, "replaced": replaced, "new_files": new}


def back(name: str) -> dict[str, Any]:
    """Undo a swap: what was there before is there again."""
    if name + BEFORE not in _databases():
        return {"database": name, "restored": False}
    discard(name + STAGED)  # of a restore that was killed
    folder, live = filestore(name + BEFORE), filestore(name)
    files.merge(folder, live, [str(p.relative_to(folder)) for p in folder.glob("*/*")])
    replaced = [(name, name + STAGED)] if name in _databases() else []
    postgres.rename([*replaced, (name + BEFORE, name)])
    shutil.rmtree(folder, ignore_errors=True)
    discard(name + STAGED)
    with closing(postgres.connect(name)) as connection:
        files.mark_unused(live, postgres.wanted_files(connection))
    files.give_to(DATA.stat(), live)
    return {"database": name, "restored": True}
