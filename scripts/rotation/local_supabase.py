"""The part of a rotation that the local Supabase sees: PostgREST's role, the signing secret."""

import hashlib
import time
from typing import Final

from scripts.core.errors import OpsError
from scripts.rotation import dependents, sql, verifiers
from scripts.rotation.work import Work
from scripts.stack import readiness
from scripts.supabase.database import PROFILE, SERVICE
from scripts.supabase.service import POSTGREST

_ROLE: Final = "authenticator"
_PASSWORD: Final = "supabase_db_password"  # noqa: S105 - the name of a secret
SIGNING: Final = "supabase_jwt_secret"
_START_SECONDS: Final = 180


def change(work: Work) -> None:
    """Have its servers take the new values, and see that they do."""
    if not work.concerns(_PASSWORD, SIGNING) or not dependents.supabase(work.stack):
        return
    with work.reporter.step("Changing the local Supabase"):
        readiness.ensure_running(work.stack, SERVICE)
        before = sql.role(work.stack, SERVICE, _ROLE)
        work.remember(roles={**work.plan.roles, SERVICE: before})
        if work.concerns(_PASSWORD):
            _keep(work, verifiers.scram(work.journal.new(_PASSWORD)))
        _restart(work)
        _prove(work)
    stop_what_did_not_run(work)


def _keep(work: Work, stored: str | None) -> None:
    sql.as_superuser(work.stack, SERVICE, sql.set_role(_ROLE, stored), changes=True)


def _restart(work: Work) -> None:
    """Its database hands both secrets to PostgREST when it starts."""
    if not work.ran(SERVICE):
        return  # it was started with the files as they are
    work.stack.run(*PROFILE, "restart", SERVICE, timeout=180, changes=True)
    if work.ran(POSTGREST):
        work.stack.run(*PROFILE, "restart", POSTGREST, timeout=180, changes=True)


def _prove(work: Work) -> None:
    ask = ["-h", SERVICE, "-U", _ROLE, "-d", "postgres", "-c", "SELECT 1"]
    known = {"PGPASSFILE": "/run/postgrest/pgpass"}
    deadline = time.monotonic() + _START_SECONDS
    while not (done := work.stack.exec(SERVICE, "psql", "-X", *ask, env=known, timeout=60)).ok:
        if time.monotonic() > deadline or "authentication" in done.stderr:
            raise OpsError(f"{SERVICE} does not take the new password: {done.last_line}")
        time.sleep(0.5)
    if work.concerns(SIGNING):
        wanted = hashlib.sha256(work.journal.new(SIGNING).encode()).hexdigest()
        seen = work.stack.exec(SERVICE, "sha256sum", "/run/postgrest/jwt_secret").stdout
        if not seen.startswith(wanted):
            raise OpsError(f"{SERVICE} does not have the new signing secret")


def tried(work: Work) -> set[str]:
    """The secrets whose new values were seen to work."""
    return work.concerns(_PASSWORD, SIGNING) if SERVICE in work.plan.roles else set()


def kept(work: Work) -> set[str]:
    """The secrets that stay new when this is undone: without their files nothing could start."""
    return work.lost(_PASSWORD, SIGNING) if SERVICE in work.plan.roles else set()


def undo_database(work: Work) -> None:
    """Have its PostgreSQL keep what it kept before; the files are still the new ones."""
    if SERVICE in work.plan.roles and work.concerns(_PASSWORD):
        readiness.ensure_running(work.stack, SERVICE)
        lost = _PASSWORD in kept(work)
        new = verifiers.scram(work.journal.new(_PASSWORD)) if lost else None
        _keep(work, new or work.plan.roles[SERVICE])


def undo_start(work: Work) -> None:
    """With the old files in their place, have running what ran before, and only that."""
    if SERVICE in work.plan.roles:
        _restart(work)
    stop_what_did_not_run(work)


def stop_what_did_not_run(work: Work) -> None:
    """Stop its database if it was started for this only."""
    if not work.ran(SERVICE) and work.runs(SERVICE):
        work.stack.run(*PROFILE, "stop", SERVICE, timeout=180, changes=True)
