"""Names of databases and roles."""

from typing import Final

# Suffixes of databases that belong to another one. odoo/bin/platform-bootstrap, which is part
# of an image, has some of them again; tests/static/test_contract.py compares them.
STAGED: Final = "__restoring"  # a restored one that is not complete or not verified yet
BEFORE: Final = "__before"  # what the last restore replaced
SCRATCH: Final = "__drill"  # of `inv backup.verify`, and of the proof after each backup
CLONE: Final = "__clone"  # of earlier versions
REHEARSAL: Final = "__rehearsal"  # the neutralised copy of `inv module.rehearse`
MODULE_TEST: Final = "__test"  # of `inv module.test`
REVERTED: Final = "__undone"  # what a snapshot replaces, until that is finished
SNAPSHOT: Final = r"__s\d{10}"  # a pattern: the digits are seconds since 1970
UNFINISHED: Final = "__unfinished"  # the first database, until Odoo has filled it
THROWN_AWAY: Final = (STAGED, BEFORE, SCRATCH, CLONE)  # what `restore discard` may drop
KEPT: Final = f"({BEFORE}|{SNAPSHOT})$"  # copies to go back to, which accept no connections

# PostgreSQL cuts names off after 63 characters: the copy of a database with a longer name than
# this might be called like that itself, and what drops copies would drop it.
_LONGEST: Final = 50
_OF_COPIES: Final = "|".join((*THROWN_AWAY, REHEARSAL, MODULE_TEST, REVERTED, SNAPSHOT))
# The next CREATE DATABASE would copy what is in its own, or would not get a connection.
_OF_POSTGRESQL: Final = r"(?!(?:postgres|template[01])$)"
DATABASE_NAME: Final = rf"{_OF_POSTGRESQL}(?!.*({_OF_COPIES})$)[a-z_][a-z0-9_]{{0,{_LONGEST - 1}}}"
# What may have snapshots: any name that Odoo takes.
_OF_CHANGES: Final = "|".join((REHEARSAL, MODULE_TEST, REVERTED, SNAPSHOT))
SNAPSHOT_SOURCE: Final = rf"(?!.*({_OF_CHANGES})$)[A-Za-z0-9_][A-Za-z0-9_.-]{{0,{_LONGEST - 1}}}"

# Owns a database that was filled from a file of unknown origin until it replaces the live one:
# code in it runs with the rights of this role, which has none in any other database.
RESTORER: Final = "odoo_restore"
