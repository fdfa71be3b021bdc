"""What others made: the zip of Odoo's database manager, and plain SQL dumps."""

import os
import re
import shutil
import subprocess
import tempfile
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from common import Failure, last_line
from files import refuse

FAST = "-c synchronous_commit=off -c maintenance_work_mem=256MB"
_ATTACHMENT = re.compile(r"filestore/([0-9a-f]{2,3}/[0-9a-f]{40})")
_HEAD, _TAIL = 4096, 512
_COMPLETE = b"PostgreSQL database dump complete"


class _Sql:
    """An SQL dump, as `pg_dump > backup.sql` makes it."""

    has_files = False

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self) -> IO[bytes]:
        return self.path.open("rb")

    def check(self) -> None:
        """Raises Failure for a dump that is not one, or not all of one."""
        with self.path.open("rb") as stream:
            stream.seek(max(0, self.path.stat().st_size - _TAIL))
            if _COMPLETE not in stream.read():
                raise Failure(f"{self.path.name} is cut off: its last line is missing")

    def major(self) -> int:
        with self.open() as stream:
            head = stream.read(_HEAD)
        found = re.search(rb"Dumped by pg_dump version (\d+)", head)
        if not found:
            raise Failure(f"{self.path.name} is no SQL dump of pg_dump's")
        return int(found[1])

    def load(self, database: str) -> None:
        psql = ["psql", "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "--no-password"]
        # Into a file: a pipe that nobody reads meanwhile would stop psql, and us with it.
        with self.open() as source, tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                [*psql, f"--dbname={database}"],
                env={**os.environ, "PGOPTIONS": FAST},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=said,
            )
            _feed(source, process)
            said.seek(0)
            errors = said.read().decode(errors="replace")
        if process.returncode:
            raise Failure(f"psql refuses {self.path.name}: {_first_error(errors)}")

    def extract(self, folder: Path, wanted: Iterable[str]) -> None:
        """There are no files in it."""


def _feed(source: IO[bytes], process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    try:
        shutil.copyfileobj(source, process.stdin, 1 << 20)
        process.stdin.close()
    except BrokenPipeError:  # psql has given up; its reason is what counts
        process.stdin = None
    process.wait()


def _first_error(errors: str) -> str:
    found = [line for line in errors.splitlines() if "ERROR" in line or "FATAL" in line]
    return found[0].partition("ERROR:  ")[2] or found[0] if found else last_line(errors)


class _Zip(_Sql):
    """The zip of Odoo's database manager: dump.sql, manifest.json, filestore/."""

    has_files = True

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            self.archive = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise Failure(f"{path.name} is cut off or no zip archive") from error
        if "dump.sql" not in self.archive.namelist():
            raise Failure(f"{path.name} holds no dump.sql: it is no backup of Odoo's")

    def open(self) -> IO[bytes]:
        return self.archive.open("dump.sql")

    def check(self) -> None:
        try:
            damaged = self.archive.testzip()
        except RuntimeError as error:  # encrypted, or packed strangely
            raise Failure(f"{self.path.name} cannot be read: {error}") from error
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise Failure(f"{self.path.name} is damaged: {error}") from error
        refuse("members of the archive are damaged", [damaged] if damaged else [])

    def extract(self, folder: Path, wanted: Iterable[str]) -> None:
        names = set(wanted)
        for member in self.archive.infolist():
            found = _ATTACHMENT.fullmatch(member.filename)
            if found and found[1] in names:
                target = folder / found[1]
                target.parent.mkdir(exist_ok=True)
                with self.archive.open(member) as source, target.open("wb") as stream:
                    shutil.copyfileobj(source, stream, 1 << 20)


def opened(path: Path) -> Any:
    """The archive in `path`, by its name."""
    return _Zip(path) if path.suffix.lower() == ".zip" else _Sql(path)
