"""Files that other programs made, recognised by their content and not by their name.

SQL of pg_dump and pg_dumpall, its custom, tar and folder formats, any of them compressed,
and the zip of Odoo's database manager.
"""

import bz2
import gzip
import io
import lzma
import re
import shutil
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from toolbox.core.errors import Failure, require_none
from toolbox.core.text import last_line

_ATTACHMENT = re.compile(r"filestore/([0-9a-f]{2,3}/[0-9a-f]{40})")
_CHUNK = 1 << 20
_HEAD, _TAIL = 4096, 512
_ZIP = (b"PK\3\4", b"PK\5\6")
_GZIP, _ZSTD, _XZ, _BZIP2 = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh"
_CUSTOM, _TAR, _TAR_AT = b"PGDMP", b"ustar", 257
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_SQL = re.compile(rb"PostgreSQL database (cluster )?dump")
_COMPLETE = re.compile(rb"PostgreSQL database (cluster )?dump complete")
TABLE_OF_CONTENTS = "toc.dat"  # of the tar and the folder format
SQL, CUSTOM, TAR, FOLDER = "sql", "custom", "tar", "folder"
_DAMAGED = (EOFError, OSError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, tarfile.TarError)


def is_zip(path: Path) -> bool:
    """Whether it is a zip, of which only Odoo's holds a database."""
    if path.is_dir():
        return False
    with path.open("rb") as stream:
        return stream.read(4) in _ZIP


@contextmanager
def reading(path: Path) -> Iterator[IO[bytes]]:
    """The dump in `path`, decompressed if necessary.

    Raises Failure for a file that is cut off or damaged, also when the block finds that out.
    """
    try:
        with path.open("rb") as stream, _unpacked(stream, path) as unpacked:
            yield unpacked
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno:  # the disk, not the file
            raise
        raise Failure(f"{path.name} is cut off or damaged: {error}") from error


@contextmanager
def _unpacked(stream: IO[bytes], path: Path) -> Iterator[IO[bytes]]:
    head = stream.read(8)
    stream.seek(0)
    if head.startswith(_ZIP):
        with _opened_zip(path) as archive, archive.open("dump.sql") as member:
            yield member
    elif head.startswith(_ZSTD):
        with _zstd(path) as unpacked:
            yield unpacked
    elif head.startswith(_GZIP):
        yield cast(IO[bytes], gzip.GzipFile(fileobj=stream))
    elif head.startswith(_XZ):
        yield lzma.LZMAFile(stream)
    elif head.startswith(_BZIP2):
        yield bz2.BZ2File(stream)
    else:
        yield stream


@contextmanager
def _zstd(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as packed:
        process = subprocess.Popen(
            ["zstd", "-dcq"], stdin=packed, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            yield io.BufferedReader(_Output(process))
        finally:
            process.kill()
            process.communicate()


class _Output(io.RawIOBase):
    """What a process writes; its end is an EOFError where the process has failed."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        assert self._process.stdout and self._process.stderr
        count: int = self._process.stdout.readinto(buffer)  # type: ignore[attr-defined]
        if not count and self._process.wait():
            raise EOFError(last_line(self._process.stderr.read().decode(errors="replace")))
        return count


def form(path: Path) -> str:
    """SQL, CUSTOM, TAR or FOLDER (which a tar may hold); raises Failure for anything else."""
    if path.is_dir():
        if (path / TABLE_OF_CONTENTS).is_file():
            return FOLDER
        raise Failure(
            f"the folder {path.name} is not one of pg_dump: it has no {TABLE_OF_CONTENTS}"
        )
    with reading(path) as stream:
        head = _read(stream, _HEAD)
    if head.startswith(_CUSTOM):
        return CUSTOM
    if head[_TAR_AT:].startswith(_TAR):
        return TAR
    if _SQL.search(head):
        return SQL
    if head.startswith(_UTF16):
        raise Failure(
            f"{path.name} is written in UTF-16, as `>` of PowerShell does it",
            "Make it without that: pg_dump --file=FILE …",
        )
    raise Failure(
        f"{path.name} is neither a dump of PostgreSQL nor a zip of Odoo",
        "Make one: inv backup --plain FILE, pg_dump, or Odoo's database manager.",
    )


def _read(stream: IO[bytes], size: int) -> bytes:
    """`size` bytes, or what there is: one read of a pipe may bring less."""
    found = b""
    while len(found) < size and (more := stream.read(size - len(found))):
        found += more
    return found


def check(path: Path) -> None:
    """Raises Failure for a file that is cut off or damaged, as far as that shows before loading."""
    if is_zip(path):
        with _opened_zip(path) as archive:
            _check_zip(path, archive)
    elif path.is_file():
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
            if _SQL.search(head):
                stream.seek(max(0, path.stat().st_size - _TAIL))
                require_complete(stream.read(), path.name)


def require_complete(tail: bytes, name: str) -> None:
    """Raises Failure unless `tail` is the end of an SQL dump."""
    if not _COMPLETE.search(tail[-_TAIL:]):
        raise Failure(f"{name} is cut off: its last line is missing")


def _opened_zip(path: Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise Failure(f"{path.name} is cut off or not a zip archive") from error
    if "dump.sql" not in archive.namelist():
        raise Failure(f"{path.name} holds no dump.sql: it is not a backup of Odoo")
    return archive


def _check_zip(path: Path, archive: zipfile.ZipFile) -> None:
    try:
        damaged = archive.testzip()
    except RuntimeError as error:  # encrypted, or packed by an unknown method
        raise Failure(f"{path.name} cannot be read: {error}") from error
    except _DAMAGED as error:
        raise Failure(f"{path.name} is damaged: {error}") from error
    require_none("members of the archive are damaged", [damaged] if damaged else [])


def unpack(path: Path, place: Path) -> Path:
    """Make of an archive of pg_dump, packed or not, something that pg_restore takes.

    What is returned lies within the folder `place`.
    """
    if path.is_dir():
        return _copy_folder(path, place / FOLDER)
    target = place / "archive"
    with reading(path) as stream, target.open("wb") as copy:
        shutil.copyfileobj(stream, copy, _CHUNK)
    if not tarfile.is_tarfile(target):
        return target
    try:
        return _folder_of_tar(target, place / FOLDER)
    except _DAMAGED as error:
        raise Failure(f"{path.name} is cut off or damaged: {error}") from error


def _copy_folder(source: Path, target: Path) -> Path:
    """The files that pg_dump makes lie side by side; nothing else is followed."""
    target.mkdir()
    for path in source.iterdir():
        if path.is_file() and not path.is_symlink():
            shutil.copyfile(path, target / path.name)
    return target


def _folder_of_tar(tar: Path, target: Path) -> Path:
    """The folder format that was put into a tar; pg_dump's own tar has its files at the top."""
    with tarfile.open(tar) as archive:
        members = [member for member in archive if member.isfile()]
        tops = [Path(m.name) for m in members if Path(m.name).name == TABLE_OF_CONTENTS]
        if not tops:
            raise Failure(f"the tar is not one of pg_dump: it has no {TABLE_OF_CONTENTS}")
        if members[0].name == TABLE_OF_CONTENTS and "restore.sql" in archive.getnames():
            return tar
        target.mkdir()
        for member in members:
            content = archive.extractfile(member)
            if Path(member.name).parent == tops[0].parent and content:
                with (target / Path(member.name).name).open("wb") as copy:
                    shutil.copyfileobj(content, copy, _CHUNK)
    tar.unlink()
    return target


def attachments_size(path: Path) -> int:
    """The bytes of all attachments that a zip of Odoo's holds."""
    with _opened_zip(path) as archive:
        members = archive.infolist()
    return sum(m.file_size for m in members if _ATTACHMENT.fullmatch(m.filename))


def extract(path: Path, folder: Path, names: Collection[str]) -> None:
    """Write those of `names` that a zip of Odoo's holds into `folder`."""
    try:
        with _opened_zip(path) as archive:
            for member in archive.infolist():
                found = _ATTACHMENT.fullmatch(member.filename)
                if found and found[1] in names:
                    target = folder / found[1]
                    target.parent.mkdir(exist_ok=True)
                    with archive.open(member) as source, target.open("wb") as stream:
                        shutil.copyfileobj(source, stream, _CHUNK)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise Failure(f"{path.name} is damaged: {error}") from error
