"""Files that others made: dumps and zips, executed in a sandbox before anything else reads them."""

import re
from pathlib import Path
from typing import Final

from scripts.backups import service
from scripts.core.errors import OpsError, UsageError
from scripts.core.report import Reporter
from scripts.stack.compose import Stack
from toolbox.contract.names import RESTORER

SANDBOX: Final = "sandbox"
_OF_A_SET: Final = r"latest|[0-9][0-9a-f-]*"
# On volumes that are older than postgres/initdb.d/20-restorer.sh; and after db_password.txt
# has changed by hand. The verifier goes from role to role within the server. Code in an earlier
# file may have given the role settings of its own, under which the next one could not be restored.
_MAKE_RESTORER: Final = """
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'odoo_restore') THEN
    CREATE ROLE odoo_restore LOGIN;
  END IF;
  EXECUTE format('ALTER ROLE odoo_restore PASSWORD %L',
                 (SELECT rolpassword FROM pg_authid WHERE rolname = 'odoo'));
  ALTER ROLE odoo_restore RESET ALL;
  GRANT odoo_restore TO odoo;
END $$
"""


def is_backup(source: str) -> bool:
    """Whether `source` names a backup of the repository, and no file."""
    return bool(re.fullmatch(_OF_A_SET, source))


def file(source: str) -> Path | None:
    """The file or folder that `source` names; None if it names a backup of the repository.

    Raises UsageError if it names neither.
    """
    if is_backup(source):
        return None
    if not source:
        raise UsageError("no backup is named", "Name a file, or one of: inv backup.list")
    path = Path(source).expanduser().resolve()
    if not path.exists():
        hint = "Name a file, or one of: inv backup.list"
        raise UsageError(f"there is no file {path}, and no backup has that name", hint)
    if not (path.is_file() or path.is_dir()):
        raise UsageError(
            f"{path} is neither a file nor a folder", "Name a dump, or a zip of Odoo's."
        )
    service.validate_mount_path(path)
    return path


def mounts(path: Path) -> dict[Path, str]:
    """Where the containers see it; alone: what lies beside it is not for its SQL to read."""
    return {path: f"/in/{path.name}:ro"}


def read(stack: Stack, reporter: Reporter, path: Path, database: str) -> None:
    """Execute the file in the sandbox, for the container of restores to find its database.

    It is `database`, if the file holds several. Raises OpsError if it is cut off or damaged
    or PostgreSQL refuses it.
    """
    prepare(stack)
    wanted = ["--database", database] if database else []
    with reporter.step(f"Reading {path.name} in a sandbox"):
        words = [f"/in/{path.name}", *wanted]
        service.run(stack, reporter, SANDBOX, *words, mounts=mounts(path))


def prepare(stack: Stack) -> None:
    """Make sure of the role that restores foreign files; elsewhere its administrator makes it."""
    if stack.settings.postgres.external:
        _require_restorer(stack)
        return
    psql = [
        "psql",
        "--no-psqlrc",
        "-q",
        "-v",
        "ON_ERROR_STOP=1",
        "-U",
        "postgres",
        "-d",
        "postgres",
    ]
    done = stack.exec("odoo_db", *psql, "-c", _MAKE_RESTORER)
    if not done.ok:
        raise OpsError(f"PostgreSQL does not make the role {RESTORER}: {done.last_line}")


def _require_restorer(stack: Stack) -> None:
    """Raises OpsError where the server elsewhere has no such role that we may act as."""
    role = stack.settings.postgres.role
    psql = ["psql", "-X", "-w", "-tA", "-U", role, "-d", "postgres", "-c"]
    done = stack.exec("odoo_db", *psql, f"SELECT pg_has_role('{RESTORER}', 'USAGE')")
    if done.stdout.strip() != "t":
        raise OpsError(
            f"the code in a file of others runs as the role {RESTORER}, and the role {role} at"
            f" {stack.settings.postgres.host} may not make roles",
            f"Have its administrator run: CREATE ROLE {RESTORER} LOGIN PASSWORD"
            f" '(the one in secrets/db_password.txt)'; GRANT {RESTORER} TO {role};",
        )
