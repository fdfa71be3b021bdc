"""Filling a database with the dump of a set."""

import os
import re
import subprocess
from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path

import restic
import room
from common import CACHE, Failure, last_line, note
from psycopg2 import sql

import postgres

JOBS = "2"
FAST = "-c synchronous_commit=off -c maintenance_work_mem=256MB"
DUMP, LIST = CACHE / "restore.dump", CACHE / "restore.list"
HANDED = Path("/sandbox")  # what the sandbox hands over: sandbox.py writes it
# Lines of `pg_restore --list`: number; two oids; then what it is.
_ENTRY = re.compile(r"\d+; \d+ \d+ (?:COMMENT - )?(?P<what>.+)")
_EXTENSION = re.compile(r"EXTENSION (?:- )?(?P<name>\S+)")
_OF_ROLES = ("ACL ", "DEFAULT ACL ", "POLICY ")
_OF_SUPERUSERS = ("EVENT TRIGGER ", "PUBLICATION ", "SUBSCRIPTION ")


def create(name: str, collate: str, ctype: str, owner: str = "") -> None:
    """Make the empty database `name`, of the role `owner` (that of the platform)."""
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        create = sql.SQL(
            "CREATE DATABASE {} ENCODING 'UTF8' LC_COLLATE {} LC_CTYPE {} TEMPLATE template0"
        )
        if not ctype:
            cursor.execute("SELECT datctype FROM pg_database WHERE datname = 'template0'")
            ctype = cursor.fetchone()[0]
        cursor.execute(
            create.format(sql.Identifier(name), sql.Literal(collate), sql.Literal(ctype))
        )
        if owner:
            change = sql.SQL("ALTER DATABASE {} OWNER TO {}")
            cursor.execute(change.format(sql.Identifier(name), sql.Identifier(owner)))


def dump(chosen: restic.Set, name: str, roles: Sequence[str]) -> None:
    """Fill the empty database `name` with the dump of a set."""
    with DUMP.open("wb") as stream:
        restic.dump_to(chosen, "database", stream)
    archive(DUMP, name, roles)


def archive(source: Path, name: str, roles: Sequence[str], user: str = "") -> None:
    """Fill the empty database `name` with an archive of pg_dump's, as the role `user`.

    What only a superuser may make, or refers to roles that are not here, is left out and
    said: the company's data needs none of it.
    """
    LIST.write_text("\n".join(_entries(source, roles)) + "\n")
    options = ["--no-owner", "--exit-on-error", f"--jobs={JOBS}", f"--use-list={LIST}"]
    process = subprocess.Popen(
        ["pg_restore", "--format=custom", *options, "--no-password", f"--dbname={name}",
         str(source)],
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
        said = [line for line in errors.splitlines() if "error: " in line]
        raise Failure(f"pg_restore failed: {(said or [last_line(errors)])[0]}")


def tidy() -> None:
    """Free the room that a dump took."""
    for place in (DUMP, LIST, *(HANDED.iterdir() if HANDED.is_dir() else ())):
        place.unlink(missing_ok=True)


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
