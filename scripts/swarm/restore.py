"""A backup or a moment as the platform's database again, by tasks on the node that has it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from scripts.backups import agreement, archive, repository, restored
from scripts.backups.moments import Moment
from scripts.backups.wanted import Wanted
from scripts.core.errors import OpsError, UsageError
from scripts.core.files import file_lock
from scripts.core.report import Reporter
from scripts.stack.compose import Stack
from scripts.swarm import deploy, nodes, odoo_tasks, once, services
from toolbox.contract.archive import ArchiveStatus, StagedMoment
from toolbox.contract.backups import PageShown, RestoreOffer, StagedBackup, SwapResult, UndoResult
from toolbox.contract.names import BEFORE, STAGED

_RESTORE: Final = "restore"
_RECOVERY: Final = "recovery"
_ORIGIN: Final = "Put it into odoo/addons, then: inv swarm.deploy"


@dataclass(frozen=True)
class Restored(restored.Restored):
    """What a restore in a swarm has done."""

    @property
    def _way_back(self) -> str:
        return "inv swarm.restore --undo"


def restore(stack: Stack, reporter: Reporter, wanted: Wanted) -> Restored:
    """Bring a backup of the repository, or a moment, back as the platform's own database.

    Nothing that is live is touched before it is restored and verified beside that; what was
    there is put back if Odoo serves no page on it.
    """
    name, moment = stack.settings.database, wanted.at
    with _alone(stack):
        odoo = odoo_tasks.of(stack)
        words = (
            _look_up_moment(stack, reporter, odoo, moment)
            if moment
            else _look_up_backup(stack, reporter, odoo, wanted.source)
        )
        try:
            found = _stage(stack, reporter, odoo, words, past=moment is not None)
            replaced = _put_in_place(stack, reporter, odoo, found.databases)
        except BaseException:
            _try_to_discard(stack, reporter, _RECOVERY if moment else _RESTORE)
            raise
    past = found if isinstance(found, StagedMoment) else None
    return Restored(
        moment.shown if moment else found.id,
        name,
        replaced,
        found.missing_files,
        live=True,
        remark=archive.remark(past) if past else "",
        last_transaction=past.last_commit if past else found.created,
    )


def undo(stack: Stack, reporter: Reporter) -> Restored:
    """Put back what the last restore replaced."""
    name = stack.settings.database
    with _alone(stack):
        odoo = odoo_tasks.of(stack)
        known = _databases(stack, reporter)
        if name + BEFORE not in known:
            raise OpsError("there is nothing to go back to", "See: inv swarm.backups")
        odoo_tasks.require_reachable(stack, reporter, odoo)
        agreement.agree(reporter, f"the database {name}{BEFORE}", name, known)
        with odoo_tasks.stopped(stack, reporter, odoo):
            _put_back(stack, reporter)
    return Restored(name + BEFORE, name, replaced=False, missing_files=0)


@contextmanager
def _alone(stack: Stack) -> Iterator[None]:
    """While neither a deployment nor a backup is made."""
    nodes.require_manager(stack.runner)
    if stack.runner.dry:
        raise UsageError("backups cannot be rehearsed", "`inv swarm.backups` changes nothing.")
    with (
        deploy.alone(stack, "swarm.restore"),
        file_lock(repository.lock(stack.settings), "swarm.restore"),
    ):
        yield


def _databases(stack: Stack, reporter: Reporter) -> dict[str, int]:
    return once.ask(stack, reporter, _RESTORE, "databases", kind=dict[str, int])


def _look_up_backup(
    stack: Stack, reporter: Reporter, odoo: list[services.ServiceState], wanted: str
) -> list[str]:
    """What to tell the task that restores it, once the person agrees."""
    name = stack.settings.database
    with reporter.step("Looking the backup up"):
        offer = once.ask(stack, reporter, _RESTORE, "offer", wanted, kind=RestoreOffer)
    backup = offer.backup
    version = agreement.fit(reporter, backup, odoo_tasks.about(stack, odoo), _ORIGIN)
    what = f"the backup {backup.id} of {backup.created} ({backup.database})"
    odoo_tasks.require_reachable(stack, reporter, odoo)
    agreement.agree(reporter, what, name, offer.databases)
    return [backup.id, name + STAGED, "--live", name, "--odoo", version]


def _look_up_moment(
    stack: Stack, reporter: Reporter, odoo: list[services.ServiceState], moment: Moment
) -> list[str]:
    """The same of a moment."""
    name = stack.settings.database
    if stack.settings.postgres.external:
        raise UsageError(
            "moments of a PostgreSQL elsewhere are restored by who runs it",
            "Backups: inv swarm.backups",
        )
    with reporter.step("Looking at the archive"):
        archive.require(once.ask(stack, reporter, _RECOVERY, "status", kind=ArchiveStatus), moment)
        known = _databases(stack, reporter)
    version = odoo_tasks.about(stack, odoo).odoo
    odoo_tasks.require_reachable(stack, reporter, odoo)
    agreement.agree(reporter, f"{name} as of {moment.shown}", name, known)
    return [name, name + STAGED, "--live", name, "--odoo", version, *moment.options]


def _stage(
    stack: Stack,
    reporter: Reporter,
    odoo: list[services.ServiceState],
    words: list[str],
    *,
    past: bool,
) -> StagedBackup | StagedMoment:
    with reporter.step("Restoring and verifying beside what is live"):
        if not past:
            return once.ask(stack, reporter, _RESTORE, "stage", *words, kind=StagedBackup)
        found = once.ask(stack, reporter, _RECOVERY, "stage", *words, kind=StagedMoment)
    agreement.fit(reporter, found, odoo_tasks.about(stack, odoo), _ORIGIN)
    return found


def _put_in_place(
    stack: Stack,
    reporter: Reporter,
    odoo: list[services.ServiceState],
    before: Mapping[str, int],
) -> bool:
    """Replace the database, of those `before`, by the staged one; whether there was one."""
    name = stack.settings.database
    try:
        with odoo_tasks.stopped(stack, reporter, odoo):
            _swap(stack, reporter, before)
        with reporter.step("Looking at a page of it"):
            once.ask(stack, reporter, _RESTORE, "page", kind=PageShown)
    except BaseException as error:
        hint = _return(stack, reporter, odoo, before)
        if not isinstance(error, OpsError):
            reporter.note(hint)
            raise
        raise OpsError(error.message, f"{hint} {error.hint}".strip()) from error
    return name in before


def _swap(stack: Stack, reporter: Reporter, before: Mapping[str, int]) -> None:
    name = stack.settings.database
    try:
        once.ask(stack, reporter, _RESTORE, "swap", name, kind=SwapResult)
    except OpsError:
        # What a task has done counts, and not that its answer was lost on the way.
        if _databases(stack, reporter).get(name) != before.get(name + STAGED, 0):
            raise


def _return(
    stack: Stack,
    reporter: Reporter,
    odoo: list[services.ServiceState],
    before: Mapping[str, int],
) -> str:
    """Have what was there before again, however far the restore came; says what is there now."""
    name = stack.settings.database
    reporter.note("The restore failed: what was there before is put back")
    try:
        # The server knows how far it came; a task that was killed could not say.
        if name in before and _databases(stack, reporter).get(name) != before[name]:
            with odoo_tasks.stopped(stack, reporter, odoo):
                _put_back(stack, reporter)
        else:
            odoo_tasks.start(stack, reporter, odoo)
    except OpsError as second:
        return (
            f"Putting it back failed too ({second.message}). See: inv swarm.status,"
            " inv swarm.restore --undo; inv swarm.deploy starts Odoo."
        )
    return "What was there before is there again." if name in before else "There was none before."


def _put_back(stack: Stack, reporter: Reporter) -> None:
    once.ask(stack, reporter, _RESTORE, "back", stack.settings.database, kind=UndoResult)


def _try_to_discard(stack: Stack, reporter: Reporter, service: str) -> None:
    """Take away what a failure left; that failure is the one to tell, whatever comes of it."""
    staged = stack.settings.database + STAGED
    try:
        once.ask(stack, reporter, service, "discard", staged, kind=dict[str, str])
    except OpsError as error:
        reporter.note(f"{staged} is left behind until the next restore: {error.message}")
