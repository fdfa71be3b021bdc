"""Compares the files of a filestore with the attachments that name them; changes nothing."""

import stat
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from toolbox.backup import contents, saved_files
from toolbox.contract.backups import FilestoreReport, LostFile, UnusedFile
from toolbox.core import filestore, postgres
from toolbox.core.text import printable

_RECENT = 3600.0  # seconds: so young a file may be of an upload that is not committed yet
_RECORDS = 5  # that are named for each file


def check(database: str, *, data: bool) -> FilestoreReport:
    """What is lost and what is unused; with `data` each file is read to its end."""
    postgres.prepare()
    folder = filestore.folder(database)
    with closing(postgres.connect(database)) as connection:
        wanted = contents.wanted_files(connection)
        connection.commit()  # the next query sees what was committed meanwhile
        lost = _lost(folder, wanted, data=data)
        # Odoo may have removed row and file since: what counts is what a row names still.
        named = contents.wanted_files(connection)
        lost = {name: reason for name, reason in lost.items() if name in named}
        records = _records(connection, lost)
        connection.commit()
        unused = _unused(folder, connection)
    rows = tuple(LostFile(file=n, reason=r, records=records.get(n, ())) for n, r in lost.items())
    return FilestoreReport(attachments=len(wanted), lost=rows, unused=tuple(unused))


def _lost(folder: Path, wanted: dict[str, tuple[int | None, str]], *, data: bool) -> dict[str, str]:
    found = {}
    for name, (size, checksum) in wanted.items():
        path = folder / name
        present = _size(path)
        if present is None:
            found[name] = saved_files.MISSING
        elif size not in (None, present) or checksum not in ("", path.name):
            found[name] = saved_files.OTHER
    if data:
        damaged = filestore.damaged(folder, wanted.keys() - found.keys())
        found |= dict.fromkeys(damaged, saved_files.DAMAGED)
    return dict(sorted(found.items()))


def _size(path: Path) -> int | None:
    """In bytes; None if there is no file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _records(connection: Any, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The attachments that name each, and what they are attached to."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT store_fname, array_agg(about ORDER BY about) FROM (SELECT store_fname,"
            " 'ir.attachment ' || id || ' (' || coalesce(name, '') || ')' ||"
            " coalesce(' of ' || res_model || ' ' || nullif(res_id, 0), '') AS about,"
            " row_number() OVER (PARTITION BY store_fname ORDER BY id) AS number"
            " FROM ir_attachment WHERE store_fname = ANY(%s)) AS a WHERE number <= %s GROUP BY 1",
            (list(names), _RECORDS),
        )
        # File names come from senders of mail: no control characters on a terminal.
        return {
            file: tuple(printable(about) for about in found) for file, found in cursor.fetchall()
        }


def _unused(folder: Path, connection: Any) -> list[UnusedFile]:
    """Files that no attachment names. They are listed before the rows are read."""
    before = time.time() - _RECENT
    present = {}
    for name in filestore.stored(folder):
        with suppress(FileNotFoundError):  # Odoo has removed it meanwhile
            status = (folder / name).stat()
            if status.st_ctime < before:
                present[name] = status.st_size
    named = contents.wanted_files(connection)
    return [
        UnusedFile(file=name, bytes=size, marked=(folder / "checklist" / name).exists())
        for name, size in sorted(present.items())
        if name not in named
    ]
