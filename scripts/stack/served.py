"""The copy that `inv clone --serve` opens, in containers of its own; one at a time.

Which one it is, `.env` says (CLONE_DATABASE, and the profile of Compose), so that plain
`docker compose up` starts it as well.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from scripts.core import env_file
from scripts.core.checks import require, run_all
from scripts.core.clone_settings import PROFILE, CloneSettings
from scripts.core.errors import OpsError, UsageError
from scripts.core.http import get
from scripts.core.report import Reporter
from scripts.core.settings import fixed
from scripts.stack import images, preflight, readiness
from scripts.stack.compose import Stack
from scripts.stack.diagnosis import LOG_LINES, telling
from scripts.stack.image_names import MAIL_CATCHER

ODOO: Final = "odoo_clone"
SERVICES: Final = (ODOO, "mail_clone", "nginx_clone")
_VARIABLES: Final = ("CLONE_DATABASE", "COMPOSE_PROFILES")
_START_SECONDS: Final = 300
_MOST_RESTARTS: Final = 3
_POLL_SECONDS: Final = 0.5
_END_SESSIONS: Final = (
    "sh /etc/platform/cli --local --scan --pattern 'clone:*'"
    " | xargs -r -n 500 sh /etc/platform/cli --local unlink"
)


def prepare(stack: Stack, reporter: Reporter, name: str) -> None:
    """See that the copy `name` can be served, before it is made.

    Raises OpsError where its port is taken, and UsageError for settings that contradict it.
    """
    settings, clone = stack.settings, stack.settings.clone
    require_settings_file()
    for site in settings.domains if settings.tls else ():
        if site != "localhost" and f".{clone.domain}".endswith(f".{site}"):
            raise UsageError(
                f"CLONE_DOMAIN={clone.domain} belongs to ODOO_DOMAIN={site}, for which browsers"
                " insist on HTTPS",
                "Take another name, or localhost.",
            )
    found = run_all([preflight.clone_port(replace_database(stack, name), stack.services())])
    require(found, "nothing was copied")
    images.ensure_one(stack, reporter, MAIL_CATCHER)


def require_settings_file() -> None:
    """Raises UsageError where `.env` does not say what is served."""
    for variable in _VARIABLES:
        if fixed(variable):
            raise UsageError(
                f"the environment sets {variable}, which `inv` keeps in .env for a served copy",
                f"Run: unset {variable}",
            )


def replace_database(stack: Stack, name: str) -> Stack:
    """`stack` with settings that say that `name` is served."""
    clone = stack.settings.clone
    profiles = (*(p for p in clone.profiles if p != PROFILE), PROFILE)
    return _with(stack, replace(clone, database=name, profiles=profiles))


def _with(stack: Stack, clone: CloneSettings) -> Stack:
    return replace(stack, settings=replace(stack.settings, clone=clone))


def refuse(stack: Stack, name: str) -> None:
    """Raises UsageError where `name` is served: what comes in its place is not neutralised."""
    if name == stack.settings.clone.served:
        hint = f"inv clone --to {name} replaces it; inv db.drop {name} ends it, for a restore."
        raise UsageError(f"the copy {name!r} is served, and only another clone replaces it", hint)


def serve(stack: Stack, reporter: Reporter, name: str) -> CloneSettings:
    """Serve the copy `name` in the place of the one that was served; returns where it is.

    Comes back when its login page is there. Raises OpsError with the log lines of its Odoo if it
    does not come.
    """
    before = stack.settings.clone.served
    if before and before != name:
        reporter.note(
            f"{before} is served no more; it is still there, to be rid of it: inv db.drop {before}"
        )
        _remove(stack)
    stack = replace_database(stack, name)
    clone = stack.settings.clone
    _keep(stack, reporter, clone)
    with reporter.step(f"Serving {name}"):
        readiness.ensure_running(stack, "odoo_db", "redis")
        _up(stack, SERVICES)
        _await_page(stack, clone)
        _require_own_address(stack, clone)
    return clone


def end(stack: Stack, reporter: Reporter, name: str) -> None:
    """Stop serving `name`, if it is served, and end its sessions; the database is left alone."""
    if name != stack.settings.clone.served:
        return
    with reporter.step(f"Stopping what serves {name}"):
        _remove(stack)
    forget(stack, reporter)


def forget(stack: Stack, reporter: Reporter) -> None:
    """Have `.env` say that no copy is served."""
    clone = stack.settings.clone
    if clone.served:
        profiles = tuple(p for p in clone.profiles if p != PROFILE)
        _keep(stack, reporter, replace(clone, database="", profiles=profiles))


@contextmanager
def paused(stack: Stack, name: str) -> Iterator[None]:
    """While the block replaces `name`, no Odoo serves it; afterwards it does again, if it did."""
    if name != stack.settings.clone.served or not _runs(stack):
        yield
        return
    try:
        stack.run("stop", ODOO, timeout=120, changes=True)
        yield
    finally:
        _up(stack, [ODOO], "--no-recreate")


def restart(stack: Stack) -> None:
    """Have the Odoo of a copy read its secrets again, if it runs."""
    if _runs(stack):
        stack.run("restart", ODOO, timeout=300, check=False, changes=True)


def _runs(stack: Stack) -> bool:
    return any(s.service == ODOO and not s.oneoff and not s.stopped for s in stack.services())


def _remove(stack: Stack) -> None:
    stack.run("rm", "--stop", "--force", *SERVICES, timeout=180, changes=True)
    stack.exec("redis", "sh", "-c", _END_SESSIONS, timeout=60, changes=True)


def _keep(stack: Stack, reporter: Reporter, clone: CloneSettings) -> None:
    if stack.runner.dry:
        return
    kept = dict(zip(_VARIABLES, (clone.database, ",".join(clone.profiles)), strict=True))
    for line in env_file.remember(stack.settings.env_file, kept):
        reporter.note(f"written to .env: {line}")


def _up(stack: Stack, services: Sequence[str], *options: str) -> None:
    # Not the services that they depend on: those run, and are not to be made again.
    words = ["up", "--detach", "--no-build", "--no-deps", *options, *services]
    stack.as_running().run(*words, timeout=_START_SECONDS, changes=True)


def _await_page(stack: Stack, clone: CloneSettings) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not stack.runner.dry and (problem := _problem(clone)):
        again = any(s.service == ODOO and s.restarts > _MOST_RESTARTS for s in stack.services())
        if again or time.monotonic() > deadline:
            log = telling(stack.logs(ODOO, 10 * LOG_LINES))
            lines = "".join(f"\n  {line}" for line in log)
            hint = f"To end it: inv db.drop {clone.database}"
            raise OpsError(f"the copy cannot be used: {problem}; the log of its Odoo:{lines}", hint)
        time.sleep(_POLL_SECONDS)


def _problem(clone: CloneSettings) -> str:
    """Why the login page of the copy is not there; '' if it is."""
    try:
        status = get(f"{clone.local_url}/web/login", timeout=30).status
    except OpsError as error:
        return error.message
    return "" if status in (200, 303) else f"its login page answers with status {status}"


def _require_own_address(stack: Stack, clone: CloneSettings) -> None:
    """End it, and raise OpsError, where its links lead elsewhere.

    An image of Odoo that was built before `inv clone --serve` does not know ODOO_BASE_URL.
    """
    query = "SELECT value FROM ir_config_parameter WHERE key = 'web.base.url'"
    ask = ["psql", "-X", "-U", stack.settings.postgres.role, "-d", clone.database, "-tAc", query]
    found = stack.exec("odoo_db", *ask).stdout.strip()
    if stack.runner.dry or found == clone.url:
        return
    _remove(stack)
    raise OpsError(
        f"{clone.database} is not served: its links would lead to {found or 'nowhere'}",
        f"Build the image of Odoo again: inv images, then: inv clone --to {clone.database} --serve",
    )
