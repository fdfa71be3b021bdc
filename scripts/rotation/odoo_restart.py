"""The part of a rotation that Odoo sees: its role, Redis, the administrator, the master password.

Odoo is stopped meanwhile, and visitors get "Back in a moment". Their sessions are in Redis,
which keeps them over its restart: nobody is logged out but the administrator.
"""

import re
import time
from typing import Final

from scripts import sessions
from scripts.core.errors import OpsError
from scripts.rotation import dependents, logins, sql, verifiers
from scripts.rotation.work import Work
from scripts.stack import lifecycle, oneoff, readiness, served
from toolbox.contract.names import RESTORER

_ROLE: Final = "odoo"
_DATABASE: Final = "db_password"
_ADMIN: Final = "odoo_admin_password"
_MASTER: Final = "odoo_master_password"
# In a container with the entrypoint of Odoo's, which makes both passwords of the secret file.
_TRY_POSTGRESQL: Final = (
    "import psycopg2; psycopg2.connect(dbname='postgres', connect_timeout=10).close()"
)
_TRY_REDIS: Final = (
    "import redis; redis.Redis('redis', socket_timeout=10,"
    " password=open('/run/odoo/redis_password').read().strip()).ping()"
)
_LOGIN_TIMEOUT: Final = 120.0
_REDIS_SECONDS: Final = 30


def late(work: Work) -> set[str]:
    """The secrets whose files stay as they are until `change` puts the new ones there.

    A container that dies and is started again meanwhile has to find what fits. But without
    any file none is started at all.
    """
    return {_DATABASE} if (work.journal.secrets / f"{_DATABASE}.txt").is_file() else set()


def change(work: Work) -> None:
    """Have the servers take the new values, and see that they do."""
    names = work.concerns(_DATABASE, _ADMIN, _MASTER)
    if not names or not dependents.database(work.stack):
        work.journal.install(names)
        return  # what is started later takes the files as they are then
    readiness.ensure_running(work.stack, sql.DATABASE_SERVICE)
    before, restorer = (
        sql.role(work.stack, sql.DATABASE_SERVICE, role) for role in (_ROLE, RESTORER)
    )
    roles = {**work.plan.roles, sql.DATABASE_SERVICE: before}
    work.remember(roles=roles, restorer=restorer, admin=sql.admin(work.stack))
    if names <= {_ADMIN} or not work.runs("odoo"):
        _apply(work)
    else:
        running = lifecycle.pause_odoo(work.stack, work.reporter)
        _apply(work)
        lifecycle.resume_odoo(running, work.reporter)
    if names - {_ADMIN}:
        served.restart(work.stack)
    with work.reporter.step("Trying the new passwords"):
        _prove(work)


def _apply(work: Work) -> None:
    """The last file, PostgreSQL, then Redis."""
    work.journal.install(work.concerns(_DATABASE))
    if work.concerns(_ADMIN) and work.plan.admin:
        _set_admin(work, verifiers.odoo(work.journal.new(_ADMIN)))
    if work.concerns(_DATABASE):
        stored = verifiers.scram(work.journal.new(_DATABASE))
        _set_roles(work, stored, stored)
        if work.ran("redis"):
            _restart_redis(work)


def _set_admin(work: Work, stored: str) -> None:
    assert work.plan.admin
    sql.in_odoo(work.stack, sql.set_admin(work.plan.admin.id, stored), changes=True)


def _set_roles(work: Work, stored: str | None, restorer: str | None) -> None:
    text = sql.set_role(_ROLE, stored)
    if work.plan.restorer:  # else there is none, or `inv restore` has yet to give it one
        text += sql.set_role(RESTORER, restorer)
    sql.as_superuser(work.stack, sql.DATABASE_SERVICE, text, changes=True)


def _restart_redis(work: Work) -> None:
    with work.reporter.step("Restarting Redis"):
        work.stack.run("restart", "redis", timeout=120, changes=True)
        deadline = time.monotonic() + _REDIS_SECONDS
        while not work.stack.exec("redis", "sh", "/etc/platform/cli", "--local", "ping").ok:
            if time.monotonic() > deadline:
                raise OpsError("Redis does not come back", "See: inv logs --service redis")
            time.sleep(0.3)


def _prove(work: Work) -> None:
    if work.concerns(_DATABASE):
        _log_in(work, _TRY_POSTGRESQL, "PostgreSQL")
        if work.runs("redis"):
            _log_in(work, _TRY_REDIS, "Redis")
    if work.concerns(_ADMIN) and not _admin_gets_in(work):
        raise OpsError("the administrator cannot log in with the new password")
    if work.concerns(_MASTER) and work.runs("odoo"):
        read = work.stack.exec("odoo", "cat", "/run/odoo/odoo.conf").stdout
        stored = re.search(r"^admin_passwd = (\S+)", read, re.MULTILINE)
        if not stored or not verifiers.odoo_takes(work.journal.new(_MASTER), stored[1]):
            raise OpsError("Odoo does not have the new master password")


def _log_in(work: Work, program: str, server: str) -> None:
    done = oneoff.run(work.stack, "odoo_init", "python3", "-c", program, timeout=_LOGIN_TIMEOUT)
    if not done.ok:
        raise OpsError(f"{server} does not take the new password: {done.last_line}")


def _admin_gets_in(work: Work) -> bool:
    if not work.plan.admin:
        return True  # there is no Odoo yet: its first start takes the file
    admin, password = sql.admin(work.stack), work.journal.new(_ADMIN)
    if not admin:
        return False
    if work.runs("odoo"):
        return logins.opens(work.stack, admin, password)
    return verifiers.odoo_takes(password, admin.password)


def finish(work: Work) -> None:
    """End the sessions that were begun with the administrator's old password."""
    if work.concerns(_ADMIN) and work.plan.admin and work.runs("odoo"):
        sessions.end(work.stack, work.plan.admin.login)


def touched(work: Work) -> bool:
    """Whether a server may have taken a new value."""
    return sql.DATABASE_SERVICE in work.plan.roles


def tried(work: Work) -> set[str]:
    """The secrets whose new values were seen to work."""
    return work.concerns(_DATABASE, _ADMIN, _MASTER) if touched(work) else set()


def kept(work: Work) -> set[str]:
    """The secrets that stay new when this is undone: without their file nothing could start."""
    return work.lost(_DATABASE) if touched(work) else set()


def undo_database(work: Work) -> None:
    """Have PostgreSQL keep what it kept before; the files are still the new ones."""
    if not touched(work):
        return
    readiness.ensure_running(work.stack, sql.DATABASE_SERVICE)
    if work.concerns(_DATABASE, _MASTER) and work.runs("odoo"):
        lifecycle.pause_odoo(work.stack, work.reporter)
    if work.concerns(_DATABASE):
        new = verifiers.scram(work.journal.new(_DATABASE)) if kept(work) else None
        before = work.plan.roles[sql.DATABASE_SERVICE]
        _set_roles(work, new or before, new or work.plan.restorer)
    if work.concerns(_ADMIN) and work.plan.admin:
        _set_admin(work, work.plan.admin.password)


def undo_start(work: Work) -> None:
    """With the old files in their place, have running what ran before, and only that."""
    if touched(work) and work.concerns(_DATABASE) and work.ran("redis"):
        _restart_redis(work)
    if work.ran("odoo") and not work.runs("odoo"):
        lifecycle.resume_odoo(work.stack.as_running(), work.reporter)
    stop_what_did_not_run(work)


def stop_what_did_not_run(work: Work) -> None:
    """Stop PostgreSQL if it was started for this only."""
    if not work.ran(sql.DATABASE_SERVICE) and work.runs(sql.DATABASE_SERVICE):
        work.stack.run("stop", sql.DATABASE_SERVICE, timeout=120, changes=True)
