"""supabase/migrations/*.sql, applied once each, in the books of the Supabase CLI."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.core.errors import OpsError, UsageError
from scripts.core.report import Reporter
from scripts.supabase.database import Database, Target

_NAME: Final = re.compile(r"(\d{14})_([a-z0-9_]+)\.sql")
# Comments, texts and bodies of functions, in which everything may stand.
_QUOTED: Final = re.compile(
    r"--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$|\be'(?:[^'\\]|\\.)*'|'[^']*'|\"[^\"]*\"",
    re.IGNORECASE | re.DOTALL,
)
# The CLI runs no psql, and it is the caller who begins and ends the transaction.
_FORBIDDEN: Final = re.compile(
    r"\\|(?:^|;)\s*(?:begin(?!\s+atomic)|start\s+transaction|commit|end|abort|rollback(?!\s+to)"
    r"|prepare\s+transaction)\b",
    re.IGNORECASE,
)
# As the Supabase CLI makes it.
_BOOKS: Final = """
SET client_min_messages = warning;
CREATE SCHEMA IF NOT EXISTS supabase_migrations;
CREATE TABLE IF NOT EXISTS supabase_migrations.schema_migrations (
    version text NOT NULL PRIMARY KEY
);
ALTER TABLE supabase_migrations.schema_migrations ADD COLUMN IF NOT EXISTS statements text[];
ALTER TABLE supabase_migrations.schema_migrations ADD COLUMN IF NOT EXISTS name text;
"""
_THERE: Final = """
SELECT to_regclass('supabase_migrations.schema_migrations') IS NOT NULL AS books \\gset
\\if :books
SELECT version FROM supabase_migrations.schema_migrations ORDER BY version;
\\endif
"""


@dataclass(frozen=True)
class Migration:
    """One file."""

    version: str
    name: str
    path: Path


@dataclass(frozen=True)
class MigrationState:
    """What a database has, compared with the folder."""

    applied: tuple[str, ...]
    pending: tuple[Migration, ...]
    unknown: tuple[str, ...]  # applied from elsewhere


def found(root: Path) -> list[Migration]:
    """The files in order; raises UsageError for one that could not be applied as a whole."""
    migrations = []
    for path in sorted((root / "supabase" / "migrations").glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if not match:
            hint = "Name it like 20261101000000_what_it_does.sql"
            raise UsageError(f"{path.name} is no name of a migration", hint)
        if wrong := _FORBIDDEN.search(_QUOTED.sub(_blank, path.read_text())):
            word = wrong[0].strip("; \n")
            hint = "Each file is one transaction already, and the Supabase CLI knows no psql."
            raise UsageError(f"{path.name} has {word!r} in it", hint)
        migrations.append(Migration(match[1], match[2], path))
    versions = [migration.version for migration in migrations]
    if twice := {version for version in versions if versions.count(version) > 1}:
        raise UsageError(f"two migrations have the version {min(twice)}")
    return migrations


def _blank(quoted: re.Match[str]) -> str:
    return " " if quoted[0].startswith(("--", "/*")) else "''"


def state(database: Database) -> MigrationState:
    """Compare; changes nothing."""
    return _compare(database.run(_THERE).split(), found(database.stack.settings.root))


def _compare(applied: Sequence[str], migrations: Sequence[Migration]) -> MigrationState:
    known = {migration.version for migration in migrations}
    pending = tuple(m for m in migrations if m.version not in applied)
    return MigrationState(tuple(applied), pending, tuple(v for v in applied if v not in known))


def migrate(database: Database, reporter: Reporter) -> list[Migration]:
    """Apply what is pending, a transaction each; returns what was applied.

    Raises OpsError at the first that fails: that one is undone as a whole, those
    before it stay. The cloud is asked about first.
    """
    now = state(database)
    newest = max((v for v in now.applied if v not in now.unknown), default="")
    if late := [m.path.name for m in now.pending if m.version < newest]:
        hint = f"Give it a version later than {newest}."
        raise OpsError(f"{', '.join(late)} would come before what is applied already", hint)
    if now.unknown:
        reporter.note(f"applied, but not in supabase/migrations: {', '.join(now.unknown)}")
    if not now.pending:
        return []
    _agree(database, reporter, now.pending)
    database.run(_BOOKS, changes=True)
    for migration in now.pending:
        _apply(database, reporter, migration)
    return list(now.pending)


def _agree(database: Database, reporter: Reporter, pending: Sequence[Migration]) -> None:
    if database.target is Target.LOCAL:
        return
    names = ", ".join(migration.path.name for migration in pending)
    project = database.stack.settings.supabase_ref
    if not reporter.confirm(f"Apply {names} to the project {project}?", unattended=False):
        raise OpsError("nothing was applied", "Say yes, or give --yes where nobody can answer.")


def _apply(database: Database, reporter: Reporter, migration: Migration) -> None:
    with reporter.step(f"Applying {migration.path.name}"):
        try:
            database.run(script(migration), changes=True)
        except OpsError as error:
            if "schema_migrations_pkey" in error.message:
                error = OpsError("somebody else is applying it", "Wait, then run this again.")
            hint = error.hint or "It was undone as a whole; fix the file and run this again."
            raise OpsError(f"{migration.path.name}: {error.message}", hint) from None


def script(migration: Migration) -> str:
    """SQL that applies `migration` and enters it in the books, both or none.

    The entry comes first: who applies the same beside us waits there, and fails.
    """
    text = migration.path.read_text()
    content = base64.b64encode(text.encode()).decode()
    return f"""BEGIN;
SET LOCAL lock_timeout = '10s';
INSERT INTO supabase_migrations.schema_migrations (version, name, statements) VALUES
('{migration.version}', '{migration.name}',
 ARRAY[convert_from(decode('{content}', 'base64'), 'UTF8')]);
{text}
;
COMMIT;
"""  # noqa: S608 - digits, a plain name, base64, and a file that is meant to be run
