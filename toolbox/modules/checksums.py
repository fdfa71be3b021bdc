"""Whether a module on disk is what it was when it was updated last."""

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from toolbox.core import postgres
from toolbox.modules.addons import Addon, on_disk

PARAMETER = "ipai.modules.checksums"
_TAKEN = 16  # hexadecimal digits: 64 bits tell two versions of a module apart
_NO_CODE = {"static", "tests", "__pycache__", "node_modules"}


@dataclass(frozen=True)
class Checksum:
    """Of all that an update reads, and of the Python code alone, which a server keeps loaded."""

    content: str
    code: str


def checksum(addon: Addon, languages: Collection[str]) -> Checksum:
    """Of a module on disk, without tests, static files, and languages that are not active."""
    content, code = hashlib.sha256(), hashlib.sha256()
    for path in _files(addon.path):
        name = path.relative_to(addon.path)
        if name.parts[0] in ("i18n", "i18n_extra") and not _speaks(path, languages):
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        content.update(f"{name} {digest}\n".encode())
        if path.suffix == ".py" and name.parts[0] != "migrations":
            code.update(f"{name} {digest}\n".encode())
    return Checksum(content.hexdigest()[:_TAKEN], code.hexdigest()[:_TAKEN])


def _files(folder: Path) -> list[Path]:
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [n for n in folders if n not in _NO_CODE and not n.startswith(".")]
        kept = (n for n in names if not n.startswith(".") and not n.endswith((".pyc", "~", ".pot")))
        found += [Path(place) / name for name in kept]
    return sorted(found)


def _speaks(path: Path, languages: Collection[str]) -> bool:
    return path.suffix == ".po" and any(
        code == path.stem or code.partition("_")[0] == path.stem for code in languages
    )


def current(database: str, names: Iterable[str]) -> dict[str, Checksum]:
    """Of `names` as they are on disk now; of those that are there."""
    with closing(postgres.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT code FROM res_lang WHERE active")
        languages = [code for (code,) in cursor.fetchall()]
    return {n: checksum(on_disk()[n], languages) for n in names if n in on_disk()}


def recorded(database: str) -> dict[str, Checksum]:
    """What the modules were when they were updated last; empty if nothing is recorded."""
    with closing(postgres.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT value FROM ir_config_parameter WHERE key = %s", (PARAMETER,))
        row = cursor.fetchone()
    try:
        return {name: Checksum(*pair) for name, pair in json.loads(row[0]).items()} if row else {}
    except (
        ValueError,
        TypeError,
        AttributeError,
    ):  # it was edited by hand: as if nothing were recorded
        return {}


def record(database: str, sums: Mapping[str, Checksum]) -> None:
    """Keep `sums` in the database itself, with which they are copied, restored and undone."""
    text = json.dumps({name: [s.content, s.code] for name, s in sorted(sums.items())})
    with closing(postgres.connect(database)) as connection, connection, connection.cursor() as c:
        c.execute(
            "INSERT INTO ir_config_parameter (key, value, create_uid, write_uid, create_date,"
            " write_date) VALUES (%s, %s, 1, 1, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC')"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value,"
            " write_date = excluded.write_date",
            (PARAMETER, text),
        )
