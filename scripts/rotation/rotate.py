"""`inv secrets.rotate` and `inv secrets.reset`: new secrets for a living platform, or none.

The order: the journal with both values, the files, the servers, a try of every new value; only
then "proven" is written down. Whatever fails before is undone as a whole, and after a crash by
the next command; what comes after is finished.
"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from scripts import credentials
from scripts.backups import cli, memory, service
from scripts.core.errors import OpsError, UsageError
from scripts.core.files import exclusive
from scripts.core.report import Reporter
from scripts.core.settings import Settings
from scripts.modules.service import alone
from scripts.rotation import living, local_supabase, repository, serving
from scripts.rotation.journal import PROVEN, UNDONE, Journal, Plan
from scripts.rotation.work import STARTED, Work
from scripts.stack import engine
from scripts.stack.compose import Stack

ALL: Final = "all"
_RESETS: Final = {"admin": credentials.ADMIN_PASSWORD.name}
_CONTAINER_SECONDS: Final = 60
_AGAIN: Final = "To undo it: inv secrets"


def rotate(stack: Stack, reporter: Reporter, wanted: str) -> list[str]:
    """Replace the secrets `wanted` (names with commas between, or `all`) everywhere.

    Returns lines for people. Raises OpsError where one of the new ones does not work; all
    are as before then.
    """
    words = _words(wanted)
    if stack.runner.dry:
        raise UsageError("a rotation cannot be rehearsed", "`inv secrets --check` changes nothing.")
    with _alone(stack.settings, "secrets.rotate"):
        engine.probe(stack.runner)
        _recover(stack, reporter)
        names = words or _everything(stack)
        work = _begin(stack, reporter, names)
        try:
            _carry_out(work)
        except OpsError as error:
            raise OpsError(error.message, f"{_try_to_undo(work)} {error.hint}".strip()) from error
        except BaseException:
            reporter.note(_try_to_undo(work))
            raise
        _finish(work)
    return _told(work)


def reset(stack: Stack, reporter: Reporter, who: str) -> list[str]:
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


def _words(wanted: str) -> tuple[str, ...]:
    """The names in `wanted`, none for all; raises UsageError for one that there is not."""
    if wanted in ("", ALL):
        return ()
    known = [spec.name for spec in credentials.SPECS]
    names = dict.fromkeys(word.strip().removesuffix(".txt") for word in wanted.split(","))
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"{unknown[0]!r} is no secret", f"There are: {', '.join(known)}, or all")
    return tuple(names)


def _everything(stack: Stack) -> tuple[str, ...]:
    """All secrets that there are, and those that are lost: what was never made is left alone."""
    reports = credentials.inspect(stack.settings.secrets_folder)
    lost = living.lost(stack, reports)
    return tuple(
        r.name for r in reports if r.state is not credentials.State.MISSING or r.name in lost
    )


@contextmanager
def _alone(settings: Settings, doing: str) -> Iterator[None]:
    """Nothing else that changes the platform, or reads secrets for long, runs meanwhile."""
    with exclusive(cli.lock(settings), doing), alone(settings, doing):
        yield


def _begin(stack: Stack, reporter: Reporter, names: tuple[str, ...]) -> Work:
    """Look at what there is, then keep both values of every secret."""
    settings = stack.settings
    specs = [spec for spec in credentials.SPECS if spec.name in names]
    if folders := [f"secrets/{s.name}.txt" for s in specs if _is_folder(settings, s)]:
        raise OpsError(f"{folders[0]} is a folder", "Remove it, then run this again.")
    has_repository = repository.NAME in names and living.repository(settings)
    if has_repository and not (settings.secrets_folder / service.KEY_FILE).is_file():
        raise OpsError(*repository.LOST)
    if has_repository:
        service.prepare(stack, reporter)
        service.ask(stack, reporter, service.MAKE, "list")  # its key fits, and it can be reached
    _await_containers(stack)
    running = tuple(s.service for s in stack.services() if s.state == "running" and not s.oneoff)
    old = {s.name: s.path(settings.secrets_folder).read_bytes()
           for s in specs if s.path(settings.secrets_folder).is_file()}  # fmt: skip
    if "db_password" in names:
        old |= _in_use(stack, running, old.get("db_password", b""))
    work = Work(
        stack, reporter, Journal(settings.secrets_folder),
        Plan(names, running, repository=has_repository),
    )  # fmt: skip
    work.journal.begin(work.plan, {s.name: s.generate() for s in specs}, old)
    return work


def _is_folder(settings: Settings, spec: credentials.SecretSpec) -> bool:
    return spec.path(settings.secrets_folder).is_dir()


def _in_use(stack: Stack, running: tuple[str, ...], on_disk: bytes) -> dict[str, bytes]:
    """The database's password as Odoo's container still has it, if the file has another.

    A file that was lost or replaced is so put back, should this have to be undone.
    """
    if "odoo" not in running:
        return {}
    place = "/run/secrets/db_password"
    seen = stack.exec("odoo", "sha256sum", place)
    if not seen.ok or seen.stdout.split()[:1] == [hashlib.sha256(on_disk).hexdigest()]:
        return {}
    return {"db_password": stack.exec("odoo", "cat", place).stdout.encode()}


def _await_containers(stack: Stack) -> None:
    """Wait for programs of ours in containers of their own: they read secrets as they start."""
    deadline = time.monotonic() + _CONTAINER_SECONDS
    while found := [s.name for s in stack.services() if s.oneoff and s.state in STARTED]:
        if time.monotonic() > deadline:
            raise OpsError(f"the container {found[0]} is still at work", "Wait for its end.")
        time.sleep(1)


def _carry_out(work: Work) -> None:
    work.journal.install(set(work.plan.names) - serving.late(work))
    repository.change(work)
    local_supabase.change(work)
    serving.change(work)
    work.remember(state=PROVEN)
    serving.stop_what_did_not_run(work)


def _finish(work: Work) -> None:
    try:
        repository.finish(work)
        serving.finish(work)
    except OpsError as error:
        hint = f"{error.hint} To finish it: inv secrets".strip()
        raise OpsError(f"the new secrets are in use, but {error.message}", hint) from error
    work.journal.discard()


def _try_to_undo(work: Work) -> str:
    """Have everything as it was; returns a sentence on how that went."""
    if work.plan.state == PROVEN:
        return "The new secrets work and are in use. To finish: inv secrets"
    try:
        work.reporter.note("The rotation failed: the old secrets are put back")
        _undo(work)
    except OpsError as error:
        return f"Putting the old secrets back failed too ({error.message}). {_AGAIN}."
    except BaseException:
        work.reporter.note(f"The old secrets are not back. {_AGAIN}")
        raise
    return "The old secrets are in use again."


def _undo(work: Work) -> None:
    if work.plan.state != UNDONE:
        serving.undo_database(work)
        local_supabase.undo_database(work)
        work.journal.put_back(work.plan.names)
        local_supabase.undo_start(work)
        serving.undo_start(work)
        work.remember(state=UNDONE)
    repository.undo(work)
    work.journal.discard()


def _recover(stack: Stack, reporter: Reporter) -> None:
    journal = Journal(stack.settings.secrets_folder)
    if not journal.begun:
        journal.discard()  # what was written before a plan was
        return
    work = Work(stack, reporter, journal, journal.load())
    _await_containers(stack)
    if work.plan.state == PROVEN:
        reporter.note("An interrupted rotation of the secrets is finished")
        _finish(work)
    else:
        reporter.note("An interrupted rotation of the secrets is undone")
        _undo(work)


def _told(work: Work) -> list[str]:
    names = work.plan.names
    tried = serving.tried(work) | local_supabase.tried(work) | repository.tried(work)
    known = {True: "new, tried and in use", False: "new; nothing has used the old one yet"}
    lines = [f"secrets/{name}.txt: {known[name in tried]}" for name in names]
    if repository.NAME in tried:
        lines.append(f"The copy of the old key elsewhere opens nothing. {memory.KEY_HINT}")
    if local_supabase.SIGNING in tried:
        lines.append("Keys made before end with the old secret: inv supabase.keys --show")
    return lines
