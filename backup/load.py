"""Filling a database with the dump of a set."""

import os
import re
import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import properties
import psycopg2
import restic
import room
from common import CACHE, Failure, last_line, note
from psycopg2 import sql

import postgres

JOBS = "2"
FAST = "-c synchronous_commit=off -c maintenance_work_mem=256MB"
DUMP = CACHE / "restore.dump"
HANDED = Path("/sandbox")  # what the sandbox hands over: sandbox.py writes it
# Lines of `pg_restore --list`: number; two oids; then what it is.
_ENTRY = re.compile(r"\d+; \d+ \d+ (?:COMMENT - )?(?P<what>.+)")
_EXTENSION = re.compile(r"EXTENSION (?:- )?(?P<name>\S+)")
_NO_LOCALE = (
    psycopg2.errors.WrongObjectType,
    psycopg2.errors.InvalidParameterValue,
    psycopg2.errors.FeatureNotSupported,
)
_FIRST = re.compile(r"\d+; \d+ \d+ (SCHEMA|EXTENSION) ")
_OF_ROLES = ("ACL ", "DEFAULT ACL ", "POLICY ")
_OF_SUPERUSERS = ("EVENT TRIGGER ", "PUBLICATION ", "SUBSCRIPTION ")


def create(
    name: str,
    collate: str,
    ctype: str,
    icu: Mapping[str, str] | None = None,
    *,
    owner: str = "",
) -> None:
    """Make an empty database, of the role `owner` (that of the platform).

    An empty `ctype` is the server's own. `icu` has the `locale` and, if there are any, the
    `rules` of one that sorts by ICU.
    """
    create = "CREATE DATABASE {} ENCODING 'UTF8' LC_COLLATE {} LC_CTYPE {} TEMPLATE template0"
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        if not ctype:
            cursor.execute("SELECT datctype FROM pg_database WHERE datname = 'template0'")
            ctype = cursor.fetchone()[0]
        given = [sql.Identifier(name), sql.Literal(collate), sql.Literal(ctype)]
        for key, value in (icu or {}).items():
            create += f" ICU_{key.upper()} {{}}"
            given.append(sql.Literal(value))
        create += " LOCALE_PROVIDER icu" if icu else ""
        try:
            cursor.execute(sql.SQL(create).format(*given))
        except _NO_LOCALE as error:
            raise Failure(
                f"the server cannot make such a database: {str(error).splitlines()[0]}",
                "It wants the locale of the one that was saved; see POSTGRES_IMAGE.",
            ) from error
        if owner:
            change = sql.SQL("ALTER DATABASE {} OWNER TO {}")
            cursor.execute(change.format(sql.Identifier(name), sql.Identifier(owner)))


def dump(chosen: restic.Set, name: str, manifest: Mapping[str, Any]) -> None:
    """Fill the empty database `name` with the dump of a set."""
    with DUMP.open("wb") as stream:
        restic.dump_to(chosen, "database", stream)
    fill(DUMP, name, manifest["roles"], lambda: manifest.get("functions", {}))


def fill(
    source: Path,
    name: str,
    roles: Sequence[str],
    functions: Callable[[], properties.Functions] = dict,
    *,
    user: str = "",
) -> None:
    """Fill the empty database `name` with an archive of pg_dump's, as the role `user`.

    `functions` is asked, once the extensions are there, what is to be altered in them before
    a table or an index makes use of it. What only a superuser may make, or refers to `roles`
    that are not here, is left out and said: the company's data needs none of it.
    """
    entries = _entries(source, roles)
    first = [line for line in entries if _FIRST.match(line)]
    _restore(source, name, first, user)
    properties.put_back_functions(name, functions())
    _restore(source, name, [line for line in entries if line not in first], user, JOBS)


def _restore(source: Path, name: str, entries: Sequence[str], user: str, jobs: str = "1") -> None:
    listed = CACHE / f"{source.stem}.list"
    listed.write_text("\n".join(entries) + "\n")
    options = ["--format=custom", "--no-owner", "--exit-on-error", "--no-password"]
    process = subprocess.Popen(
        ["pg_restore", *options, f"--jobs={jobs}", f"--use-list={listed}",
         f"--dbname={name}", str(source)],
        env={**os.environ, "PGOPTIONS": FAST, **({"PGUSER": user} if user else {})},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        errors="replace",
    )  # fmt: skip
    # The database that is live lies beside: its server dies where it finds no room.
    with process, room.Watch([room.DATABASE], process.terminate):
        try:
            errors = process.communicate()[1]
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise Failure(f"pg_restore failed: {_reason(errors)}")


def _reason(errors: str) -> str:
    """The first error, and the statement that it is about."""
    lines = errors.splitlines()
    said = [n for n, line in enumerate(lines) if "error: " in line]
    if not said:
        return last_line(errors)
    about = [line for line in lines[said[0] :] if line.startswith("Command was: ")]
    statement = f" ({about[0].removeprefix('Command was: ').strip()[:200]})" if about else ""
    return lines[said[0]].removeprefix("pg_restore: error: ") + statement


def tidy() -> None:
    """Free the room that a dump took."""
    ours = [file for pattern in ("*.dump", "*.list") for file in CACHE.glob(pattern)]
    for file in (*ours, *(HANDED.iterdir() if HANDED.is_dir() else ())):
        file.unlink(missing_ok=True)


def _entries(source: Path, roles: Sequence[str]) -> list[str]:
    """What of a dump can be restored here, as `pg_restore --use-list` wants it."""
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT rolname FROM pg_roles")
        strangers = set(roles) - {role for (role,) in cursor.fetchall()}
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
    left_out = [line for line in lines if _refused(line, strangers, possible, superuser=superuser)]
    _tell(left_out, strangers)
    return [line for line in lines if line not in set(left_out)]


def _refused(
    line: str, strangers: Collection[str], possible: Collection[str], *, superuser: bool
) -> bool:
    entry = _ENTRY.match(line)
    if not entry:
        return False
    if extension := _EXTENSION.match(entry["what"]):
        return extension["name"] not in possible | {"plpgsql"}
    if strangers and entry["what"].startswith(_OF_ROLES):
        return True
    return not superuser and entry["what"].startswith(_OF_SUPERUSERS)


def _tell(left_out: Sequence[str], strangers: Collection[str]) -> None:
    if strangers:
        note(f"permissions are left out: no role {', '.join(sorted(strangers))} here")
    others = [_ENTRY.match(line)["what"].strip() for line in left_out]  # type: ignore[index]
    if others := [what for what in others if not what.startswith(_OF_ROLES)]:
        note(f"left out, for only a superuser may make it: {'; '.join(others)}")
