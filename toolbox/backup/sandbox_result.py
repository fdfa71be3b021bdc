"""The result of the sandbox: one dump, and what is known of it.

The server that made it executed SQL of unknown origin as superuser, so it may hold any SQL:
restore it as the role postgres.RESTORER, and trust no name and no number in it.
"""

import json
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolbox.backup import archives
from toolbox.core import disk_space, filestore, postgres, properties
from toolbox.core.errors import Failure

_FOLDER = Path("/sandbox")
DUMP, _ANSWER = _FOLDER / "database.dump", _FOLDER / "answer.json"


@dataclass(frozen=True)
class Answer:
    """Of sandbox.py."""

    file: Path
    zip: bool
    bytes: int  # of the database
    roles: list[str]  # that something in it refers to
    functions: properties.Functions  # volatility of those of extensions, which a dump has not


def read(file: Path) -> Answer:
    """What is known of the dump of `file`; raises Failure if it is not the one that is there."""
    try:
        told: dict[str, Any] = json.loads(_ANSWER.read_text())
        functions = {str(name): {"volatility": str(v)} for name, v in told["functions"].items()}
        found = Answer(
            file, bool(told["zip"]), int(told["bytes"]), [*map(str, told["roles"])], functions
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        told = {}
    if told.get("file") != file.name or DUMP.is_symlink() or not DUMP.is_file():
        raise Failure(f"the sandbox has not read {file.name}", "First: docker compose run sandbox")
    return found


def require_space(answer: Answer) -> None:
    """Raises Failure unless PostgreSQL's volume and the filestore's take what comes."""
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_size_bytes(current_setting('max_wal_size'))")
        log = min(cursor.fetchone()[0], answer.bytes)  # what is written there before it is reused
    size = answer.bytes + answer.bytes // 10 + log
    held = archives.attachments_size(answer.file) if answer.zip else 0
    disk_space.require(
        [(disk_space.DATABASE, size), (filestore.DATA, held)], "this database and its files"
    )


def extract(answer: Answer, folder: Path, names: Collection[str]) -> set[str]:
    """Write the files of the attachments `names` into `folder`; returns those without a whole one.

    A damaged one is not kept: the live filestore may have it whole.
    """
    if answer.zip:
        archives.extract(answer.file, folder, names)
    present = {name for name in names if (folder / name).is_file()}
    damaged = filestore.damaged(folder, present)
    for name in damaged:
        (folder / name).unlink()
    return set(names) - (present - set(damaged))
