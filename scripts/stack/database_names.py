"""Which databases PostgreSQL has, for a command that was given the name of one."""

from typing import Final

from scripts.core.errors import OpsError, UsageError
from scripts.stack.compose import Stack

SERVICE: Final = "odoo_db"
_NAMES: Final = (
    "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname"
)
_ADMINISTRATION: Final = "postgres"


def require(stack: Stack, name: str, *, administration: bool = False) -> None:
    """Raises UsageError where there is no database `name`, if one is named.

    PostgreSQL's own, `postgres`, is one only with `administration`. Raises OpsError where
    PostgreSQL does not answer.
    """
    if not name or stack.runner.dry:
        return
    role = stack.settings.postgres.role
    psql = ["psql", "-X", "-U", role, "-d", _ADMINISTRATION, "-tA", "-c", _NAMES]
    done = stack.exec(SERVICE, *psql)
    if not done.ok:
        raise OpsError(done.last_line, "Is the platform up? See: inv ps")
    known = done.stdout.split()
    if name not in known or (name == _ADMINISTRATION and not administration):
        own = ", ".join(other for other in known if other != _ADMINISTRATION)
        raise UsageError(f"there is no database {name!r}", f"There are: {own}")
