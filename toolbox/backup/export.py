"""A backup as a file of its own: readable SQL, or what Odoo's database manager restores.

Both are written beside their final name, which they get when they are whole.
"""

import json
import os
import re
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from toolbox.backup import owner, restic
from toolbox.contract.backups import ExportResult, Manifest, StoredBackup
from toolbox.core.errors import Failure
from toolbox.core.progress import say
from toolbox.core.text import last_line

_CHUNK = 1 << 20
_ENTRY = re.compile(rb"-- Name: .*; Type: ([A-Z ]+);")
# What pg_dump writes before all that a function of an extension can be used in.
_BEFORE = (b"SCHEMA", b"EXTENSION", b"COMMENT", b"ACL", b"PROCEDURAL LANGUAGE", b"COLLATION")


def export(wanted: str, plain: str, zipped: str) -> ExportResult:
    """Write the set into the files that were asked for."""
    chosen = restic.find(wanted)
    manifest, written = restic.manifest(chosen), []
    if plain:
        say("writing the SQL dump")
        with _atomic(Path(plain)) as stream:
            _write_sql(chosen, manifest, stream)
        written.append(plain)
    if zipped:
        say("writing the zip")
        with _atomic(Path(zipped)) as stream:
            _write_zip(chosen, manifest, stream)
        written.append(zipped)
    return ExportResult(id=chosen.id, written=tuple(written))


@contextmanager
def _atomic(path: Path) -> Iterator[IO[bytes]]:
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            with suppress(OSError):  # of a file system without owners
                os.fchown(stream.fileno(), *owner.expected(path.parent))
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _write_sql(chosen: StoredBackup, manifest: Manifest, target: IO[bytes]) -> None:
    """As `pg_dump` would have, and what it does not save of the functions of extensions.

    A failure of either end of the pipe is a failure.
    """
    where = [chosen.snapshots["database"], chosen.paths["database"]]
    source = restic.start(
        "dump", "--no-lock", *where, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    reader = ["pg_restore", "--file=-"]
    # Both in the block: where `target` is full, the one that is not read has to end, too.
    with (
        source,
        subprocess.Popen(
            reader, stdin=source.stdout, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as done,
    ):
        assert source.stdout and source.stderr and done.stdout and done.stderr
        source.stdout.close()  # so that restic notices when pg_restore gives up
        if manifest.functions:
            _insert(_statements(manifest.functions), done.stdout, target)
        while chunk := done.stdout.read(_CHUNK):
            target.write(chunk)
        errors = done.stderr.read().decode(errors="replace")
        said = source.stderr.read().decode(errors="replace")
    if source.returncode:
        raise restic.failure(source.returncode, said)
    if done.returncode:
        raise Failure(f"pg_restore failed: {last_line(errors)}")


def _insert(text: str, source: IO[bytes], target: IO[bytes]) -> None:
    """Copy the beginning, up to the first entry that may make use of an extension, and `text`."""
    for line in source:
        entry = _ENTRY.match(line)
        if entry and entry[1] not in _BEFORE:
            target.write(text.encode())
        target.write(line)
        if entry and entry[1] not in _BEFORE:
            return


def _statements(functions: Mapping[str, Mapping[str, Any]]) -> str:
    """What makes `functions` what they were, if a superuser restores it."""
    words = {"volatility": "", "parallel": "PARALLEL ", "cost": "COST ", "rows": "ROWS "}
    lines = []
    for name, changed in functions.items():
        changes = " ".join(f"{words[field]}{value}" for field, value in changed.items())
        lines.append(
            f"DO $$ BEGIN ALTER FUNCTION {name} {changes};"
            " EXCEPTION WHEN insufficient_privilege THEN RAISE WARNING '%', SQLERRM; END $$;\n"
        )
    return "".join(lines)


def _write_zip(chosen: StoredBackup, manifest: Manifest, stream: IO[bytes]) -> None:
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("dump.sql", "w", force_zip64=True) as member:
            _write_sql(chosen, manifest, member)
        archive.writestr("manifest.json", json.dumps(_for_odoo(manifest), indent=4))
        if manifest.files.count and chosen.paths["files"] != restic.NO_FILES:
            _copy_files(chosen, archive)


def _for_odoo(manifest: Manifest) -> dict[str, Any]:
    """What Odoo's own dump_db_manifest says."""
    version = manifest.odoo
    return {
        "odoo_dump": "1",
        "db_name": manifest.database,
        "version": version,
        "version_info": [*map(int, version.split(".")), 0, "final", 0, ""],
        "major_version": version,
        "pg_version": ".".join(manifest.postgresql.split(".")[:2]),
        "modules": dict(manifest.modules),
    }


def _copy_files(chosen: StoredBackup, archive: zipfile.ZipFile) -> None:
    source = f"{chosen.snapshots['files']}:{chosen.paths['files']}"
    dump = ["dump", "--no-lock", "--archive", "tar", source, "/"]
    try:
        with (
            restic.start(*dump, stdout=subprocess.PIPE) as process,
            tarfile.open(fileobj=process.stdout, mode="r|") as members,
        ):
            for member in members:
                _copy(members, member, archive)
    except tarfile.TarError as error:  # restic ended in the middle
        raise Failure(f"restic could not read the files back: {error}") from error
    if process.returncode:
        raise Failure(f"restic could not read the files back (exit code {process.returncode})")


def _copy(members: tarfile.TarFile, member: tarfile.TarInfo, archive: zipfile.ZipFile) -> None:
    content = members.extractfile(member) if member.isfile() else None
    if content:
        name = f"filestore/{member.name.lstrip('./')}"
        with archive.open(name, "w", force_zip64=True) as target:
            while chunk := content.read(_CHUNK):
                target.write(chunk)
