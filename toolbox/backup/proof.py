"""Whether a dump can be restored: tried with the schema alone, each time it has changed.

A dump does not say what it cannot be restored with, such as an index on a function whose
body names another without its schema. So the schema is restored, as `inv restore` does it,
into a scratch database. The digest of a schema that passed is remembered.
"""

import hashlib
import json
import subprocess
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg2

from toolbox.backup import pg_restore, restic
from toolbox.contract import names
from toolbox.contract.backups import DatabaseInfo
from toolbox.core import databases, disk_space, postgres, properties
from toolbox.core.errors import Failure
from toolbox.core.progress import note, say
from toolbox.core.text import last_line

FREE_BYTES = (
    200_000_000  # bytes of PostgreSQL's volume: the empty tables of Odoo and the server's log
)
_DUMP = restic.CACHE / "proof.dump"
_KNOWN = restic.CACHE / "proofs.json"
_ROWS, _STATEMENT_TIMEOUT = 5, 10
_SPACE_HINT = "Make room there; then run `inv backup` again."
_HINT = "Correct that in the database; then run `inv backup` again."
_NAME_HINT = (
    "Where a restore builds indexes no schema is searched: ALTER FUNCTION … SET search_path ="
    " public, pg_temp; then run `inv backup` again."
)
# What a restore computes of rows by user-defined functions, and materialized views it fills.
_COMPUTED = f"""
    WITH own AS (SELECT DISTINCT classid, objid FROM pg_depend
        WHERE refclassid = 'pg_proc'::regclass AND refobjid >= 16384),
    computed (name, relation, expression) AS (
        SELECT indexrelid::regclass::text, indrelid,
            concat_ws(', ', pg_get_expr(indexprs, indrelid), pg_get_expr(indpred, indrelid))
        FROM pg_index JOIN own ON classid = 'pg_class'::regclass AND objid = indexrelid
        UNION ALL
        SELECT conname, conrelid, pg_get_expr(conbin, conrelid)
        FROM pg_constraint k JOIN own ON classid = 'pg_constraint'::regclass AND objid = k.oid
        WHERE contype = 'c' AND conrelid <> 0
        UNION ALL
        SELECT attname, adrelid, pg_get_expr(adbin, adrelid)
        FROM pg_attrdef f JOIN own ON classid = 'pg_attrdef'::regclass AND objid = f.oid
        JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum AND attgenerated = 's'
        UNION ALL
        SELECT attname, attrelid, format('%I::text::%s', attname, contypid::regtype)
        FROM pg_constraint k JOIN own ON classid = 'pg_constraint'::regclass AND objid = k.oid
        JOIN pg_attribute ON atttypid = contypid AND attnum > 0 AND NOT attisdropped
        JOIN pg_class c ON c.oid = attrelid AND relkind = 'r')
    SELECT format('%s of %s', name, relation::regclass),
        format('SELECT %s FROM %s LIMIT {_ROWS}', expression, relation::regclass)
    FROM computed
    UNION ALL
    SELECT oid::regclass::text,
        format('SELECT * FROM (%s) AS filled LIMIT {_ROWS}', rtrim(pg_get_viewdef(oid), ';'))
    FROM pg_class WHERE relkind = 'm' AND relispopulated"""


@dataclass(frozen=True)
class Proof:
    """How it ended: `reason` says why the dump cannot be restored, '' if it can."""

    functions: properties.Functions  # what is altered of those of extensions
    reason: str = ""
    hint: str = ""
    tried: bool = True

    @property
    def verdict(self) -> str:
        """The reason as the end of a sentence."""
        what = "cannot be restored" if self.tried else "whether it can be restored was not tried"
        return f"{what}: {self.reason}"


def try_restore(database: str, frozen: Any, snapshot: str, about: DatabaseInfo) -> Proof:
    """Try to restore the schema of the exported `snapshot`, which `frozen` looks at."""
    mine = properties.functions(frozen)
    altered = properties.changeable(mine)
    try:
        digest = _save_schema(database, snapshot, mine)
        last = _known().get(database, {})
        if last.get("digest") == digest:
            altered = last["functions"]
        else:
            say("restoring the schema into a scratch database, as it has changed")
            altered = _restore(database, mine, about)
        _compute(frozen)
        _remember(database, digest, altered)
    except postgres.MayNotCreateError as error:
        note(f"whether the backup can be restored was not tried: {error}")
        return Proof(altered, tried=False)
    except (Failure, psycopg2.Error, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if isinstance(error, disk_space.NoSpaceError):
            return Proof(altered, reason, _SPACE_HINT, tried=False)
        hint = _NAME_HINT if "does not exist" in reason else _HINT
        return Proof(altered, reason, getattr(error, "hint", "") or hint)
    finally:
        pg_restore.clean_up()
    return Proof(altered)


def _save_schema(database: str, snapshot: str, mine: properties.Functions) -> str:
    """Dump it into a file; returns a digest of it and of the functions of extensions."""
    dump = ["pg_dump", "--format=custom", "--compress=none", f"--snapshot={snapshot}"]
    _run(*dump, "--schema-only", "--no-password", f"--dbname={database}", f"--file={_DUMP}")
    lines = _run("pg_restore", "--file=-", str(_DUMP)).splitlines()
    digest = hashlib.sha256(json.dumps(properties.changeable(mine), sort_keys=True).encode())
    for line in lines:
        if not line.startswith((b"\\restrict ", b"\\unrestrict ")):  # its key is another each time
            digest.update(line + b"\n")
    return digest.hexdigest()


def _run(*argv: str) -> bytes:
    done = subprocess.run(argv, capture_output=True, check=False)
    if done.returncode:
        errors = last_line(done.stderr.decode(errors="replace"))
        raise Failure(f"{argv[0]} failed: {errors}")
    return done.stdout


def _restore(
    database: str, mine: properties.Functions, about: DatabaseInfo
) -> properties.Functions:
    """Make a database of the schema and drop it; what the extensions' functions differ in."""
    disk_space.require([(disk_space.DATABASE, FREE_BYTES)], "an empty copy of the database")
    scratch = database + names.SCRATCH  # `inv backup.verify` never runs at the same time
    changed: dict[str, Mapping[str, Any]] = {}

    def compare() -> properties.Functions:
        with closing(postgres.connect(scratch)) as connection:
            changed.update(properties.altered(mine, properties.functions(connection)))
        return changed

    databases.drop(scratch)
    try:
        databases.create(scratch, about.collate, about.ctype, about.icu)
        pg_restore.fill(_DUMP, scratch, about.roles, compare)
    finally:
        databases.drop(scratch)
    return changed


def _compute(frozen: Any) -> None:
    """Compute of some rows what a restore computes of all; raises Failure for a missing name.

    The tables of the scratch database are empty, and a function's body is checked when it runs.
    """
    with frozen.cursor() as cursor:
        cursor.execute("SELECT current_setting('search_path')")
        path = cursor.fetchone()[0]
        cursor.execute("SELECT set_config('search_path', '', false)")  # as pg_restore has it
        cursor.execute(f"SET statement_timeout = '{_STATEMENT_TIMEOUT}s'")
        cursor.execute(_COMPUTED)
        faults = [fault for row in cursor.fetchall() if (fault := _fault(cursor, *row))]
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SELECT set_config('search_path', %s, false)", (path,))
    if faults:
        raise Failure(faults[0])


def _fault(cursor: Any, name: str, query: str) -> str:
    fault = ""
    cursor.execute("SAVEPOINT tried")
    try:
        cursor.execute(query)
    except psycopg2.ProgrammingError as error:  # a name that is not found, or no right to it
        fault = f"{name}: {str(error).splitlines()[0]}"
    except psycopg2.Error:  # of these rows only: a restore may meet them in another order
        fault = ""
    cursor.execute("ROLLBACK TO SAVEPOINT tried")
    return fault


def _known() -> dict[str, Any]:
    try:
        known: dict[str, Any] = json.loads(_KNOWN.read_text())
    except (OSError, ValueError):
        return {}
    return known


def _remember(database: str, digest: str, functions: properties.Functions) -> None:
    wanted = {"digest": digest, "functions": functions}
    if _known().get(database) != wanted:
        partial = _KNOWN.with_suffix(".partial")
        partial.write_text(json.dumps({**_known(), database: wanted}))
        partial.replace(_KNOWN)
