"""Filling a database with the dump of a set."""

import os
import re
import subprocess
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import closing
from pathlib import Path

from toolbox.backup import restic
from toolbox.contract.backups import Manifest, Parts
from toolbox.core import disk_space, postgres, progress, properties
from toolbox.core.errors import Failure
from toolbox.core.progress import Percentage, note
from toolbox.core.text import last_line

JOBS = "2"
FAST = "-c synchronous_commit=off -c maintenance_work_mem=256MB"
DUMP = restic.CACHE / "restore.dump"
HANDED = Path("/sandbox")  # the result of the sandbox
# Lines of `pg_restore --list`: number; two oids; then what it is.
_ENTRY = re.compile(r"\d+; \d+ \d+ (?:COMMENT - )?(?P<what>.+)")
_EXTENSION = re.compile(r"EXTENSION (?:- )?(?P<name>\S+)")
_FIRST = re.compile(r"\d+; \d+ \d+ (SCHEMA|EXTENSION) ")
# Of `pg_restore --verbose`: definitions, which are quick; then data and indexes, in parallel.
_DONE = re.compile(r"pg_restore: (processing|finished) item ")
_DATABASE = "database"
_FETCHING = 0.25  # of the time, as a rule, until the dump is there
_OF_ROLES = ("ACL ", "DEFAULT ACL ", "POLICY ")
_OF_SUPERUSERS = ("EVENT TRIGGER ", "PUBLICATION ", "SUBSCRIPTION ")


def dump(chosen: Parts, name: str, manifest: Manifest, told: Percentage) -> None:
    """Fill the empty database `name` with the dump of a set; `told` hears how far that is."""
    size = max(1, manifest.dump.bytes)
    with (
        DUMP.open("wb") as stream,
        told.watching(lambda: DUMP.stat().st_size / size * _FETCHING, _DATABASE),
    ):
        restic.dump_to(chosen, "database", stream)
    fill(DUMP, name, manifest.roles, lambda: manifest.functions, told=told)


def fill(
    source: Path,
    name: str,
    roles: Sequence[str],
    functions: Callable[[], properties.Functions] = dict,
    *,
    user: str = "",
    told: Percentage | None = None,
) -> None:
    """Fill the empty database `name` with an archive of pg_dump's, as the role `user`.

    `functions` is asked, once the extensions are there, what is to be altered in them before
    a table or an index makes use of it. What only a superuser may make, or refers to `roles`
    that are not here, is left out with a note: no data of the company depends on it.
    """
    entries = _entries(source, roles)
    first = [line for line in entries if _FIRST.match(line)]
    _restore(source, name, first, user)
    properties.restore_functions(name, functions())
    others = [line for line in entries if line not in first]
    _restore(source, name, others, user, JOBS, told)


def _restore(
    source: Path,
    name: str,
    entries: Sequence[str],
    user: str,
    jobs: str = "1",
    told: Percentage | None = None,
) -> None:
    listed = restic.CACHE / f"{source.stem}.list"
    listed.write_text("\n".join(entries) + "\n")
    options = ["--format=custom", "--no-owner", "--exit-on-error", "--no-password"]
    options += ["--verbose"] if told and progress.wanted() else []
    process = subprocess.Popen(
        [
            "pg_restore",
            *options,
            f"--jobs={jobs}",
            f"--use-list={listed}",
            f"--dbname={name}",
            str(source),
        ],
        env={**os.environ, "PGOPTIONS": FAST, **({"PGUSER": user} if user else {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    # The live database is on the same volume: its server crashes when that is full.
    with process, disk_space.Watch([disk_space.DATABASE], process.terminate):
        try:
            errors = _errors(process.stderr, len(entries), told)  # type: ignore[arg-type]
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise Failure(f"pg_restore failed: {_reason(errors)}")


def _errors(lines: Iterable[str], entries: int, told: Percentage | None) -> str:
    """What pg_restore says, but for the entries that are done, of which `told` hears."""
    errors, done = [], 0
    for line in lines:
        if not _DONE.match(line):
            errors.append(line)
        elif told:
            done += 1
            told.tell(_FETCHING + (1 - _FETCHING) * done / entries, _DATABASE)
    return "".join(errors)


def _reason(errors: str) -> str:
    """The first error, and the statement that it is about."""
    lines = errors.splitlines()
    said = [n for n, line in enumerate(lines) if "error: " in line]
    if not said:
        return last_line(errors)
    about = [line for line in lines[said[0] :] if line.startswith("Command was: ")]
    statement = f" ({about[0].removeprefix('Command was: ').strip()[:200]})" if about else ""
    return lines[said[0]].removeprefix("pg_restore: error: ") + statement


def clean_up() -> None:
    """Remove dumps and lists of entries."""
    ours = [file for pattern in ("*.dump", "*.list") for file in restic.CACHE.glob(pattern)]
    for file in (*ours, *(HANDED.iterdir() if HANDED.is_dir() else ())):
        file.unlink(missing_ok=True)


def _entries(source: Path, roles: Sequence[str]) -> list[str]:
    """The entries of a dump that can be restored here, in the form of `pg_restore --use-list`."""
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT rolname FROM pg_roles")
        missing_roles = set(roles) - {role for (role,) in cursor.fetchall()}
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        superuser = cursor.fetchone()[0]
        cursor.execute(
            "SELECT DISTINCT name FROM pg_available_extension_versions"
            " WHERE %s OR trusted OR NOT superuser",
            (superuser,),
        )
        possible = {name for (name,) in cursor.fetchall()}
    listing = subprocess.run(
        ["pg_restore", "--format=custom", "--list", str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode:
        raise Failure(f"pg_restore failed: {last_line(listing.stderr)}")
    lines = listing.stdout.splitlines()
    left_out = [
        line
        for line in lines
        if _cannot_be_restored(line, missing_roles, possible, superuser=superuser)
    ]
    _note_left_out(left_out, missing_roles)
    return [line for line in lines if line not in set(left_out)]


def _cannot_be_restored(
    line: str, missing_roles: Collection[str], possible: Collection[str], *, superuser: bool
) -> bool:
    entry = _ENTRY.match(line)
    if not entry:
        return False
    if extension := _EXTENSION.match(entry["what"]):
        return extension["name"] not in {*possible, "plpgsql"}
    if missing_roles and entry["what"].startswith(_OF_ROLES):
        return True
    return not superuser and entry["what"].startswith(_OF_SUPERUSERS)


def _note_left_out(left_out: Sequence[str], missing_roles: Collection[str]) -> None:
    if missing_roles:
        note(f"permissions are left out: no role {', '.join(sorted(missing_roles))} here")
    others = [_ENTRY.match(line)["what"].strip() for line in left_out]  # type: ignore[index]
    if others := [what for what in others if not what.startswith(_OF_ROLES)]:
        note(f"left out, as only a superuser may create it: {'; '.join(others)}")
