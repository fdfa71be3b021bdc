"""SQL of a rotation, on the socket inside the database's own container.

That needs no password, so that a lost one can be replaced. Everything goes by standard input,
and passwords only as what the server stores of them. The superuser works in the database
`postgres` only: Odoo's own may hold triggers and functions of a stranger's, which would run
with the rights of the role that touches their tables.
"""

import json
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.postgres_settings import SUPERUSER
from scripts.rotation.journal import Admin
from scripts.stack.compose import Stack

DATABASE_SERVICE: Final = "odoo_db"
_PSQL: Final = ("psql", "-X", "-q", "-A", "-t", "-1", "-v", "ON_ERROR_STOP=1")
_PSQL_TIMEOUT: Final = 60.0
_ADMIN: Final = (
    "SELECT json_build_object('id', u.id, 'login', u.login, 'active', u.active,"
    " 'password', coalesce(u.password, '')) FROM res_users u JOIN ir_model_data d"
    " ON d.model = 'res.users' AND d.res_id = u.id"
    " WHERE d.module = 'base' AND d.name = 'user_admin'"
)


def as_superuser(stack: Stack, service: str, text: str, *, changes: bool = False) -> str:
    """The answer of one transaction in the database `postgres`; see _run.

    By Odoo's own role where PostgreSQL is elsewhere.
    """
    own = stack.settings.postgres.administrator if service == DATABASE_SERVICE else SUPERUSER
    return _run(stack, service, ("-U", own, "-d", "postgres"), text, changes=changes)


def in_odoo(stack: Stack, text: str, *, changes: bool = False) -> str:
    """The answer of one transaction in Odoo's database, as Odoo's own role; see _run."""
    place = ("-U", stack.settings.postgres.role, "-d", stack.settings.database)
    return _run(stack, DATABASE_SERVICE, place, text, changes=changes)


def _run(stack: Stack, service: str, place: tuple[str, ...], text: str, *, changes: bool) -> str:
    """The answer, unaligned; raises OpsError with the server's own words."""
    words = [*_PSQL, *place, "-f", "-"]
    done = stack.exec(service, *words, stdin=text, timeout=_PSQL_TIMEOUT, changes=changes)
    if not done.ok:
        said = [line for line in done.stderr.splitlines() if "ERROR" in line or "FATAL" in line]
        reason = said[0].split(": ", 1)[-1] if said else done.last_line
        raise OpsError(f"PostgreSQL ({service}): {reason}")
    return done.stdout.strip()


def role(stack: Stack, service: str, name: str) -> str | None:
    """What the server stores of the password of `name`; None without one, or without the role.

    Nor does a server elsewhere tell, which shows that to superusers only.
    """
    if service == DATABASE_SERVICE and stack.settings.postgres.external:
        return None
    query = f"SELECT rolpassword FROM pg_authid WHERE rolname = {literal(name)}"  # noqa: S608
    return as_superuser(stack, service, query) or None


def admin(stack: Stack) -> Admin | None:
    """Odoo's administrator (`base.user_admin`), whatever his login; None if there is no Odoo."""
    database = stack.settings.database
    known = f"SELECT 1 FROM pg_database WHERE datname = {literal(database)}"  # noqa: S608
    if not as_superuser(stack, DATABASE_SERVICE, known):
        return None
    if in_odoo(stack, "SELECT to_regclass('public.res_users')"):
        found = in_odoo(stack, _ADMIN)
        return Admin(**json.loads(found)) if found else None
    return None


def set_role(name: str, stored: str | None) -> str:
    """The statement that has the role `name` keep `stored`."""
    return f'ALTER ROLE "{name}" PASSWORD {literal(stored) if stored else "NULL"};\n'


def set_admin(user: int, stored: str) -> str:
    """The statement that has the user keep `stored`, if he does not yet."""
    value = literal(stored)
    return (
        "SET LOCAL lock_timeout = '20s';\n"
        f"UPDATE res_users SET password = {value}"
        f" WHERE id = {user:d} AND password IS DISTINCT FROM {value};\n"
    )


def literal(text: str) -> str:
    """`text` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"
