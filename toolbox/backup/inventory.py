"""The databases of the server, as `inv db.list` shows them; dropping and copying one."""

import json
import os
import re
import shutil
from collections.abc import Collection
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2

from toolbox.backup import contents, restore, swap
from toolbox.contract.backups import StageResult
from toolbox.contract.databases import Database, Dropped, Kind, by_name, needed
from toolbox.core import database_copy, databases, disk_space, filestore, postgres
from toolbox.core.errors import Failure
from toolbox.core.text import printable

_PATIENCE = 60  # seconds for work in progress in a database that is copied
_MARGIN = 1.2  # of the size of a database; the server's log grows as well
_SECONDS = "10s"  # for a look into one of them
_BUSY = "Wait for that to end, or stop it, then run this again."


def live() -> str:
    """The platform's own database."""
    return os.environ.get("ODOO_DATABASE", "odoo")


def all_of_them() -> list[Database]:
    """Those that are Odoo's or of the platform, and others that are neither, by name."""
    postgres.prepare()
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT datname, pg_database_size(oid), datallowconn, pg_get_userbyid(datdba),"
            " pg_has_role(datdba, 'MEMBER'),"
            " coalesce(shobj_description(oid, 'pg_database'), '')"
            " FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres' ORDER BY datname"
        )
        rows = cursor.fetchall()
    present = {row[0] for row in rows}
    return [*(_describe(present, *row) for row in rows), *_without_database(present)]


def _describe(
    present: Collection[str],
    name: str,
    size: int,
    connects: bool,
    owner: str,
    ours: bool,
    comment: str,
) -> Database:
    kind, base = by_name(name, live())
    reason, hint = needed(name, live(), present)
    if kind is Kind.SNAPSHOT and _is_open(comment):
        reason = f"an interrupted change of modules of {base!r} is undone by it"
        hint = "inv module.rollback goes back to it, with --accept it keeps what is there"
    if not ours:
        reason, hint = f"it belongs to the role {owner}", "Only that role can drop it."
    found = Database(
        name=name, kind=kind, bytes=size, file_bytes=_file_bytes(name), needed=reason, hint=hint
    )
    if not connects:
        return found
    odoo, neutralized = _look(name)
    if kind is Kind.COPY and not odoo:
        found = replace(found, kind=Kind.OTHER)
    return replace(found, odoo=odoo, neutralized=neutralized)


def _is_open(comment: str) -> bool:
    """Whether the comment of a snapshot says that its change was neither kept nor undone."""
    try:
        said = json.loads(comment)
    except ValueError:
        return False
    return isinstance(said, dict) and said.get("state") == "open"


def _look(name: str) -> tuple[str | None, bool | None]:
    """The series of Odoo in `name` and whether it is neutralised; None where it does not tell."""
    try:
        with closing(postgres.connect(name)) as connection, connection.cursor() as cursor:
            cursor.execute(f"SET statement_timeout = '{_SECONDS}'; SET search_path = pg_catalog")
            cursor.execute("SELECT latest_version FROM public.ir_module_module WHERE name = 'base'")
            version = str((cursor.fetchone() or ("",))[0] or "")
            cursor.execute(
                "SELECT value FROM public.ir_config_parameter WHERE key = 'database.is_neutralized'"
            )
            value = str((cursor.fetchone() or ("",))[0])
    except (Failure, psycopg2.Error):
        return None, None
    series = re.match(r"(\d+\.\d+)", version)
    return (series[1] if series else printable(version)[:20]), value.lower() in ("true", "1")


def _file_bytes(name: str) -> int:
    total = 0
    for parent, _, files in os.walk(filestore.folder(name)):
        for file in files:
            try:
                total += Path(parent, file).stat().st_size
            except FileNotFoundError:  # Odoo takes files away meanwhile
                continue
    return total


def _without_database(present: Collection[str]) -> list[Database]:
    """The filestores of databases that are gone, as after a drop that was interrupted."""
    root = filestore.folder(live()).parent
    if not root.is_dir():
        return []
    folders = sorted(f.name for f in root.iterdir() if f.is_dir() and not f.name.startswith("."))
    return [_only_files(name) for name in folders if name not in present]


def _only_files(name: str) -> Database:
    lost = name == live()
    return Database(
        name=name,
        kind=Kind.FILES,
        bytes=0,
        file_bytes=_file_bytes(name),
        needed="the platform's own database is missing, and these are its files" if lost else "",
        hint="inv restore" if lost else "",
    )


def drop(name: str) -> Dropped:
    """Drop the database `name` and its files; raises Failure for one that is needed."""
    known = all_of_them()
    found = next((each for each in known if each.name == name), None)
    if found is None:
        raise Failure(f"there is no database {name!r}", "See: inv db.list")
    if found.needed:
        raise Failure(f"the database {name!r} is not dropped: {found.needed}", found.hint)
    databases.drop(name)
    shutil.rmtree(filestore.folder(name), ignore_errors=True)
    left = [each.name for each in known if by_name(each.name, live())[1] == name != each.name]
    return Dropped(name=name, left=tuple(left))


def stage_copy(source: str, name: str) -> StageResult:
    """Make `name` of the database `source`, by PostgreSQL itself, and a link of each file."""
    with restore.staging(name, filestore.DATA):
        with closing(postgres.connect()) as connection, connection.cursor() as cursor:
            _require_space(cursor, source)
        database_copy.copy(source, name, _PATIENCE, _BUSY)
        folder = filestore.folder(name)
        folder.mkdir(parents=True)
        if filestore.folder(source).is_dir():
            filestore.link_all(filestore.folder(source), folder)
        filestore.change_owner(filestore.DATA.stat(), folder)
        return StageResult(id=source, databases=swap.present(), missing_files=_missing(name))


def _require_space(cursor: Any, source: str) -> None:
    if not postgres.exists(cursor, source):
        raise Failure(f"there is no database {source!r}", "See: inv db.list")
    cursor.execute("SELECT pg_database_size(%s)", (source,))
    wanted = int(cursor.fetchone()[0] * _MARGIN)
    hint = "inv db.list shows what there is, inv db.drop makes room."
    disk_space.require([(disk_space.DATABASE, wanted)], f"a copy of {source!r}", hint)


def _missing(name: str) -> int:
    """How many attachments of `name` have no file. Raises Failure if it is no database of Odoo."""
    with closing(postgres.connect(name)) as connection:
        wanted = contents.wanted_files(connection)
    return len([file for file in wanted if not (filestore.folder(name) / file).is_file()])
