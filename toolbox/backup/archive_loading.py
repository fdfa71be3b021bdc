"""Loading an archive of pg_dump (custom, folder or tar), also of a newer PostgreSQL's."""

import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any, Final

from toolbox.backup.dump_errors import DumpErrors, short
from toolbox.backup.psql import USER, load_sql
from toolbox.core.errors import Failure
from toolbox.core.text import last_line

# Reads the format of PostgreSQL 17 and 18 (1.16), of which 16 knows nothing. It only converts
# archives to SQL here: connected to a server it expects one of its own version.
_NEWEST: Final = "/usr/local/bin/pg_restore-17"
_UNKNOWN: Final = "unsupported version"
# What it owns and permits is of the other server.
_OPTIONS: Final = ("--no-owner", "--no-acl", "--no-tablespaces")
_QUIET: Final[dict[str, Any]] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}


def load_archive(
    archive: Path, errors: DumpErrors, host: str, database: str, **process_options: Any
) -> None:
    """Load all of `archive`; raises Failure for a damaged one, and for what counts in `errors`."""
    load = _load_newer if _is_newer(archive, **process_options) else _load
    load(archive, errors, host, database, **process_options)


def _load(
    archive: Path, errors: DumpErrors, host: str, database: str, **process_options: Any
) -> None:
    options = ["--no-password", f"--host={host}", f"--username={USER}", f"--dbname={database}"]
    if archive.is_dir() or not tarfile.is_tarfile(archive):
        options.append("--jobs=2")
    program = subprocess.Popen(
        ["pg_restore", *_OPTIONS, *options, str(archive)],
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        **_QUIET,
        **process_options,
    )
    assert program.stderr
    try:
        errors.read(program.stderr)
    finally:
        program.kill()
    if program.wait() and not errors.errors:
        raise errors.refusal(errors.said)


def _is_newer(archive: Path, **process_options: Any) -> bool:
    """Whether the server's own pg_restore does not know the archive's format."""
    listed = subprocess.run(
        ["pg_restore", "--list", str(archive)],
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        **_QUIET,
        **process_options,
    )
    return _UNKNOWN in listed.stderr


def _load_newer(
    archive: Path, errors: DumpErrors, host: str, database: str, **process_options: Any
) -> None:
    """Load it as SQL, which the server reads but for the settings that it does not know."""
    if not Path(_NEWEST).is_file():
        raise Failure(
            f"{errors.name} was made by a newer pg_dump than this image of backups can read",
            "Run: inv images",
        )
    with tempfile.TemporaryFile() as said:
        program: subprocess.Popen[bytes] = subprocess.Popen(
            [_NEWEST, *_OPTIONS, "--file=-", str(archive)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            **process_options,
        )
        assert program.stdout
        try:
            load_sql(program.stdout, errors, host, database, **process_options)
        except Failure as error:
            program.kill()
            program.wait()  # or what it says may not be there yet
            said.seek(0)
            if reason := last_line(said.read().decode(errors="replace")):
                raise _refusal(errors, reason) from error
            raise
        finally:
            program.kill()
            program.wait()


def _refusal(errors: DumpErrors, reason: str) -> Failure:
    if _UNKNOWN not in reason:
        return errors.refusal(reason)
    hint = "Its pg_restore makes a file of it that any version reads: pg_restore -f FILE.sql …"
    return Failure(f"{errors.name}: {short(reason)}: a newer pg_dump made it", hint)
