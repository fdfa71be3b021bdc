"""Bringing a backup back: beside what is live first, checked there, then in one step.

A staged database has a name of its own (ODOO__restoring), its files a folder of that
name. Nothing live is touched until both are complete and compared with the manifest.
Then the files move into the live filestore, where a file that nobody names does no
harm, and two databases change their names in one transaction: done, or not at all.
"""

import os
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import files
import handed
import harmless
import load
import properties
import psycopg2
import restic
import room
from common import CACHE, DATA, NO_FILES, STAGED, Background, Failure, filestore, say

import postgres

DATABASE_PER_DUMP = 2  # with its indexes, and the server's log of having made them
BEFORE = "__before"


def add_commands(add: Callable[..., None], *common: tuple[str, dict[str, Any]]) -> None:
    """The commands of a restore, for the program's command line."""
    name = ("name", {})
    live = ("--live", {"default": ""})
    data = ("--data", {"default": str(DATA)})
    odoo = ("--odoo", {"default": ""})
    add("stage",
        lambda given: stage(given.id, given.name, given.live, Path(given.data), given.odoo),
        ("id", {}), name, live, data, odoo)  # fmt: skip
    add("stage-file",
        lambda given: stage_file(Path(given.file), given.name, given.live, given.odoo),
        ("file", {}), name, live, odoo)  # fmt: skip
    add("swap", lambda given: _alone(lambda: swap(given.name)), name)
    add("back", lambda given: _alone(lambda: back(given.name)), name)
    add("discard", lambda given: _alone(lambda: discard(given.name, Path(given.data))), name, data)
    add("databases", lambda _: _alone(_databases))
    add("scan", lambda given: _alone(lambda: harmless.scan(given.name)), name)


def _alone(work: Callable[[], Any]) -> Any:
    postgres.prepare()
    with postgres.exclusive():
        return work()


def _databases() -> dict[str, int]:
    """Names and numbers: a database that changed its name keeps its number."""
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT datname, oid::int8 FROM pg_database WHERE NOT datistemplate")
        return dict(cursor.fetchall())


def stage(wanted: str, name: str, live: str, data: Path, odoo: str) -> dict[str, Any]:
    """Make database and filestore `name` of a set; `live` lends the files it has already."""
    chosen = restic.find(wanted)
    manifest = restic.manifest(chosen)

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
        with Background(lambda: _restore_files(chosen, folder, live)) as beside:
            load.dump(chosen, name, manifest)
            with closing(postgres.connect(name)) as connection:
                _compare(manifest, connection)
                names = postgres.wanted_files(connection)
        if files.digest(names) != manifest["files"]["digest"]:
            raise Failure("the restored list of attachments differs from the manifest")
        _accept_files(folder, names, beside.answer)
        files.give_to(data.stat(), folder)
        properties.write(name, manifest.get("properties", {}))  # last: one may be read-only
        return manifest

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
        load.fill(handed.DUMP, name, answer.roles, user=postgres.RESTORER)
        with closing(postgres.connect(name)) as connection:
            names = postgres.wanted_files(connection)
            about = postgres.about(connection)
            rows = postgres.row_counts(connection)
        folder = _new_folder(name, DATA)
        missing = handed.extract(answer, folder, names) - _lent(live, names)
        files.give_to(DATA.stat(), folder)
        if answer.zip:
            files.refuse("attachments have no file in the archive", missing)
        return {**about, "rows": rows, "missing_files": len(missing), "id": file.name}

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
            _same_odoo(manifest["odoo"], odoo or _version_of(live))
        except BaseException:
            _try_to_discard(name, data)
            raise
        finally:
            load.tidy()
        return manifest


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


def _version_of(live: str) -> str:
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        if not live or not postgres.exists(cursor, live):
            return ""
    with closing(postgres.connect(live)) as connection:
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


def _restore_files(chosen: restic.Set, folder: Path, live: str) -> set[str]:
    """Fill `folder` with the files of a set; gives back those that came out damaged.

    What the live filestore has, whole, only gets a second name.
    """
    if not chosen.files or chosen.paths["files"] == NO_FILES:
        return set()
    names, lender = _saved_names(chosen), filestore(live)
    lent = files.link_good(lender, folder, names) if live and lender.is_dir() else set()
    if rest := names - lent:
        say(f"restoring {len(rest)} files")
        # Never over a file that is there: it is the live one, under a second name.
        options = ["--no-lock", "--overwrite", "never", "--target", str(folder)]
        source = f"{chosen.snapshots['files']}:{chosen.paths['files']}"
        restic.run("restore", source, *options)
    return set(files.wrong(folder, rest))


def _saved_names(chosen: restic.Set) -> set[str]:
    prefix = chosen.paths["files"] + "/"
    return {node["path"].removeprefix(prefix) for node in restic.listing(chosen.snapshots["files"])}


def _accept_files(folder: Path, names: Collection[str], damaged: set[str]) -> None:
    """Raises Failure unless every attachment has its file; takes away what none names."""
    bad = {name for name in names if name in damaged or not (folder / name).is_file()}
    files.refuse("restored files are damaged or missing", bad)
    # What no attachment names was on its way when the backup was made: it may be half a file.
    for path in list(folder.rglob("*")):
        if path.is_file() and str(path.relative_to(folder)) not in names:
            path.unlink()


def discard(name: str, data: Path = DATA) -> dict[str, Any]:
    """Take away a staged database and its files; what is not there is no error."""
    if not name.endswith((STAGED, BEFORE, "__drill", "__clone")):
        raise Failure(f"{name!r} is no staged database")
    postgres.drop(name)
    shutil.rmtree(filestore(name, data), ignore_errors=True)
    return {"discarded": name}


def swap(name: str) -> dict[str, Any]:
    """Put the staged database in the place of `name`, which is kept as `name`__before."""
    staged = name + STAGED
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
