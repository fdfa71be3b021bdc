"""`inv secrets.rotate` and `inv secrets.reset`: new secrets for a living platform, or none.

The order: the journal with both values, the files, the servers, a try of every new value; only
then "proven" is written down. Whatever fails before is undone as a whole, and after a crash by
the next command; what comes after is finished.
"""

import base64
import codecs
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from scripts import credentials
from scripts.backups import state
from scripts.backups.repository import lock as backup_lock
from scripts.core import redis_settings
from scripts.core.errors import OpsError, UsageError
from scripts.core.files import file_lock
from scripts.core.report import Reporter
from scripts.core.settings import Settings
from scripts.modules.service import alone
from scripts.rotation import dependents, local_supabase, monitoring, odoo_restart, repository
from scripts.rotation.journal import PROVEN, UNDONE, Journal, Plan
from scripts.rotation.rotated import Rotated, RotatedSecret, old_key
from scripts.rotation.work import STARTED, Work
from scripts.stack import engine
from scripts.stack.compose import Stack

ALL: Final = "all"
_RESETS: Final = {"admin": credentials.ADMIN_PASSWORD.name}
# Of roles that a server elsewhere has from its administrator.
_OF_SERVER: Final = ("db_password", "monitoring_password")
_CONTAINER_SECONDS: Final = 60
_AGAIN: Final = "To undo it: inv secrets"


def rotate(stack: Stack, reporter: Reporter, wanted: str) -> Rotated:
    """Replace the secrets `wanted` (names with commas between, or `all`) everywhere.

    Returns lines for people. Raises OpsError where one of the new ones does not work; all
    are as before then.
    """
    words = _words(stack.settings, wanted)
    if stack.runner.dry:
        raise UsageError("a rotation cannot be rehearsed", "`inv secrets --check` changes nothing.")
    with _alone(stack.settings, "secrets.rotate"):
        engine.probe(stack.runner)
        _recover(stack, reporter)
        names, has_repository = _with_key(stack, reporter, words)
        work = _begin(stack, reporter, names, has_repository=has_repository)
        try:
            _carry_out(work)
        except OpsError as error:
            raise OpsError(error.message, f"{_try_to_undo(work)} {error.hint}".strip()) from error
        except BaseException:
            reporter.note(_try_to_undo(work))
            raise
        kept = _finish(work)
    return _told(work, kept)


def reset(stack: Stack, reporter: Reporter, who: str) -> Rotated:
    """A new password for somebody who has lost his; so far that is `admin`."""
    if who not in _RESETS:
        raise UsageError(f"{who!r} is none of: {', '.join(_RESETS)}", "inv secrets.reset admin")
    return rotate(stack, reporter, _RESETS[who])


def recover(stack: Stack, reporter: Reporter) -> None:
    """Undo or finish a rotation that was interrupted; nothing if there was none."""
    if Journal(stack.settings.secrets_folder).begun and not stack.runner.dry:
        with _alone(stack.settings, "secrets"):
            engine.probe(stack.runner)
            _recover(stack, reporter)


def _words(settings: Settings, wanted: str) -> tuple[str, ...]:
    """The names in `wanted`, none for all; raises UsageError for one that there is not."""
    if wanted == ALL:
        return ()
    known = [spec.name for spec in credentials.SPECS]
    names = dict.fromkeys(word.strip().removesuffix(".txt") for word in wanted.split(","))
    if redis_settings.PASSWORD in names:
        raise _not_of_redis(settings)
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"{unknown[0]!r} is no secret", f"There are: {', '.join(known)}, or all")
    return tuple(names)


def _not_of_redis(settings: Settings) -> UsageError:
    name = redis_settings.PASSWORD
    if settings.redis.external:
        return UsageError(
            f"{name} is set where Redis runs, at {settings.redis.place}",
            f"Change it there, put it into secrets/{name}.txt, then: inv restart",
        )
    return UsageError(
        f"{name} is for a Redis elsewhere; that of the platform is made of db_password",
        "inv secrets.rotate db_password",
    )


def _everything(stack: Stack) -> tuple[str, ...]:
    """All secrets that there are, and those that are lost: what was never made is left alone."""
    reports = credentials.inspect(stack.settings.secrets_folder)
    lost = dependents.lost(stack, reports)
    return tuple(
        r.name for r in reports if r.state is not credentials.SecretState.MISSING or r.name in lost
    )


def _with_key(
    stack: Stack, reporter: Reporter, words: tuple[str, ...]
) -> tuple[tuple[str, ...], bool]:
    """The names that `words` are, and whether the key of a repository is exchanged."""
    names = words or _everything(stack)
    if stack.settings.postgres.external and (given := {*_OF_SERVER} & {*names}):
        if words:
            raise UsageError(
                f"{min(given)} is set where PostgreSQL runs, at {stack.settings.postgres.host}",
                f"Change it there, put it into secrets/{min(given)}.txt, then: inv restart",
            )
        reporter.note(f"left as they are, for PostgreSQL is elsewhere: {', '.join(sorted(given))}")
        names = tuple(name for name in names if name not in given)
    _require_files(stack.settings, names)
    if repository.NAME not in names:
        return names, False
    there = repository.to_change(stack, reporter, named=bool(words))
    if there is None:
        names = tuple(name for name in names if name != repository.NAME)
    return names, bool(there)


@contextmanager
def _alone(settings: Settings, doing: str) -> Iterator[None]:
    """Nothing else that changes the platform, or reads secrets for long, runs meanwhile."""
    with file_lock(backup_lock(settings), doing), alone(settings, doing):
        yield


def _begin(
    stack: Stack, reporter: Reporter, names: tuple[str, ...], *, has_repository: bool
) -> Work:
    """Look at what there is, then keep both values of every secret."""
    settings = stack.settings
    specs = [spec for spec in credentials.SPECS if spec.name in names]
    _await_containers(stack)
    running = tuple(s.service for s in stack.services() if s.state == "running" and not s.oneoff)
    old = {
        s.name: s.path(settings.secrets_folder).read_bytes()
        for s in specs
        if s.path(settings.secrets_folder).is_file()
    }
    if "db_password" in names:
        old |= _in_use(stack, running, old.get("db_password", b""))
    work = Work(
        stack,
        reporter,
        Journal(settings.secrets_folder),
        Plan(names, running, repository=has_repository),
    )
    work.journal.begin(work.plan, {s.name: s.generate() for s in specs}, old)
    return work


def _require_files(settings: Settings, names: tuple[str, ...]) -> None:
    for name in names:
        if (settings.secrets_folder / f"{name}.txt").is_dir():
            raise OpsError(f"secrets/{name}.txt is a folder", "Remove it, then run this again.")


def _in_use(stack: Stack, running: tuple[str, ...], on_disk: bytes) -> dict[str, bytes]:
    """The database's password as Odoo's container still has it, if the file has another.

    A file that was lost or replaced is so put back, should this have to be undone.
    """
    if "odoo" not in running:
        return {}
    # In base64, for what a runner returns has every secret that it knows masked.
    seen = stack.exec("odoo", "base64", "/run/secrets/db_password")
    content = base64.b64decode(seen.stdout) if seen.ok else b""
    if _bare(content) in (b"", _bare(on_disk)):
        return {}
    return {"db_password": content}


def _bare(content: bytes) -> bytes:
    """The value in a secret file; see credentials.value_in."""
    return content.removeprefix(codecs.BOM_UTF8).replace(b"\r", b"").strip()


def _await_containers(stack: Stack) -> None:
    """Wait for programs of ours in containers of their own: they read secrets as they start."""
    deadline = time.monotonic() + _CONTAINER_SECONDS
    while found := [s.name for s in stack.services() if s.oneoff and s.state in STARTED]:
        if time.monotonic() > deadline:
            raise OpsError(f"the container {found[0]} is still at work", "Wait for its end.")
        time.sleep(1)


def _carry_out(work: Work) -> None:
    work.journal.install(set(work.plan.names) - odoo_restart.late(work))
    repository.change(work)
    local_supabase.change(work)
    odoo_restart.change(work)
    monitoring.change(work)
    work.remember(state=PROVEN)
    odoo_restart.stop_what_did_not_run(work)


def _finish(work: Work) -> str:
    """End what the old values open; the file that keeps an old key, '' for none."""
    try:
        repository.finish(work)
        odoo_restart.finish(work)
    except OpsError as error:
        hint = f"{error.hint} To finish it: inv secrets".strip()
        raise OpsError(f"the new secrets are in use, but {error.message}", hint) from error
    kept = repository.keep_old(work)
    work.journal.discard()
    return kept


def _try_to_undo(work: Work) -> str:
    """Have everything as it was; returns a sentence on how that went."""
    if work.plan.state == PROVEN:
        return "The new secrets work and are in use. To finish: inv secrets"
    try:
        work.reporter.note("The rotation failed: the old secrets are put back")
        return _undo(work)
    except OpsError as error:
        return f"Putting the old secrets back failed too ({error.message}). {_AGAIN}."
    except BaseException:
        work.reporter.note(f"The old secrets are not back. {_AGAIN}")
        raise


def _undo(work: Work) -> str:
    """Have everything as it was; returns a sentence on that."""
    kept = odoo_restart.kept(work) | local_supabase.kept(work) | monitoring.kept(work)
    if work.plan.state != UNDONE:
        work.forget_removed()
        odoo_restart.undo_database(work)
        local_supabase.undo_database(work)
        monitoring.undo_database(work)
        work.journal.install(kept)
        work.journal.put_back(set(work.plan.names) - kept)
        local_supabase.undo_start(work)
        odoo_restart.undo_start(work)
        monitoring.undo_start(work)
        work.remember(state=UNDONE)
    repository.undo(work)
    work.journal.discard()
    stay = ", ".join(f"secrets/{name}.txt" for name in sorted(kept))
    lost = f" {stay} had been lost: the new value is in use." if kept else ""
    return f"The old secrets are in use again.{lost}"


def _recover(stack: Stack, reporter: Reporter) -> None:
    journal = Journal(stack.settings.secrets_folder)
    if not journal.begun:
        journal.discard()  # what was written before a plan was
        return
    work = Work(stack, reporter, journal, journal.load())
    _await_containers(stack)
    if work.plan.state == PROVEN:
        reporter.note("An interrupted rotation of the secrets is finished")
        if kept := _finish(work):
            reporter.note(old_key(kept))
    else:
        reporter.note("An interrupted rotation of the secrets is undone")
        reporter.note(_undo(work))


def _told(work: Work, kept: str) -> Rotated:
    names = work.plan.names
    parts = (odoo_restart, local_supabase, monitoring, repository)
    tried = {name for part in parts for name in part.tried(work)}
    advice = []
    if repository.NAME in tried:
        advice.append(f"The copy of the old key elsewhere opens nothing. {state.KEY_HINT}")
    if local_supabase.SIGNING in tried:
        advice.append("Keys made before end with the old secret: inv supabase.keys --show")
    secrets = tuple(RotatedSecret(f"secrets/{name}.txt", name in tried) for name in names)
    return Rotated(secrets, tuple(advice), kept)
