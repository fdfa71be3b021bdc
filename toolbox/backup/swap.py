"""Replacing the live database by a staged one, and undoing that: each in one step."""

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from toolbox.backup import contents, neutralization
from toolbox.contract import names
from toolbox.contract.backups import ScanResult, SwapResult, UndoResult
from toolbox.core import databases, filestore, postgres
from toolbox.core.errors import Failure

T = TypeVar("T")


def exclusively(work: Callable[[], T]) -> T:
    """The result of `work`, which runs while nothing else works on databases."""
    postgres.prepare()
    with postgres.advisory_lock("inv restore"):
        return work()


def present() -> dict[str, int]:
    """Names and numbers: a database that changed its name keeps its number."""
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT datname, oid::int8 FROM pg_database WHERE NOT datistemplate")
        return dict(cursor.fetchall())


def scan(name: str) -> ScanResult:
    """Raises Failure where something in the database `name` is alive."""
    return ScanResult(scanned=neutralization.scan(name), databases=present())


def discard(name: str, data: Path = filestore.DATA) -> dict[str, str]:
    """Drop a staged database and its files; it is no error if there are none."""
    if not name.endswith(names.THROWN_AWAY):
        raise Failure(f"{name!r} is not a staged database")
    databases.drop(name)
    shutil.rmtree(filestore.folder(name, data), ignore_errors=True)
    return {"discarded": name}


def swap(name: str, *, scan: bool = False) -> SwapResult:
    """Put the staged database in the place of `name`, which is kept as `name`__before.

    With `scan` it has to pass the scan of clones.
    """
    staged = name + names.STAGED
    if scan:
        neutralization.scan(staged)
    with closing(postgres.connect(staged)) as connection:
        wanted = contents.wanted_files(connection)
    databases.take_ownership(staged)
    source, target = filestore.folder(staged), filestore.folder(name)
    if not target.is_dir():
        target.mkdir()
        shutil.copystat(source, target)
        os.chown(target, filestore.DATA.stat().st_uid, filestore.DATA.stat().st_gid)
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        replaced = postgres.exists(cursor, name)
    if replaced:
        discard(name + names.BEFORE)
        filestore.link_all(target, filestore.folder(name + names.BEFORE))
    new = filestore.merge(source, target, [n for n in wanted if (source / n).is_file()])
    filestore.mark_unused(target, wanted)
    filestore.change_owner(filestore.DATA.stat(), target)
    moved_away = [(name, name + names.BEFORE)] if replaced else []
    databases.rename([*moved_away, (staged, name)])
    shutil.rmtree(source, ignore_errors=True)
    return SwapResult(database=name, replaced=replaced, new_files=new)


def undo(name: str) -> UndoResult:
    """Undo a swap: put back what it replaced."""
    if name + names.BEFORE not in present():
        return UndoResult(database=name, restored=False)
    discard(name + names.STAGED)  # of a restore that was killed
    folder, live = filestore.folder(name + names.BEFORE), filestore.folder(name)
    filestore.merge(folder, live, [str(p.relative_to(folder)) for p in folder.glob("*/*")])
    replaced = [(name, name + names.STAGED)] if name in present() else []
    databases.rename([*replaced, (name + names.BEFORE, name)])
    shutil.rmtree(folder, ignore_errors=True)
    discard(name + names.STAGED)
    with closing(postgres.connect(name)) as connection:
        filestore.mark_unused(live, contents.wanted_files(connection))
    filestore.change_owner(filestore.DATA.stat(), live)
    return UndoResult(database=name, restored=True)
