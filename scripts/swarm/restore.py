"""A backup or a moment as the platform's database again, by tasks on the node that has it."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from scripts.backups import agreement, archive, repository, restored
from scripts.backups.moments import Moment
from scripts.backups.wanted import Wanted
from scripts.core.errors import OpsError, UsageError
from scripts.core.files import file_lock
from scripts.core.report import Reporter
from scripts.stack import oneoff
from scripts.stack.compose import Stack
from scripts.swarm import deploy, nodes, once, services
from scripts.swarm.stackfile import ODOO
from toolbox.contract.archive import StagedMoment
from toolbox.contract.backups import OdooInfo, RestoreOffer, StagedBackup, SwapResult, UndoResult
from toolbox.contract.names import BEFORE, STAGED

_RESTORE: Final = "restore"
_RECOVERY: Final = "recovery"
_STOP_SECONDS: Final = 400.0  # more than each stop_grace_period of Odoo's, three times
_START_SECONDS: Final = 1200.0
_POLL_SECONDS: Final = 1.0
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
    there is put back if Odoo does not start on it.
    """
    name, moment = stack.settings.database, wanted.at
    with _alone(stack):
        odoo = _services(stack)
        try:
            found = (
                _stage_moment(stack, reporter, odoo, moment)
                if moment
                else _stage_backup(stack, reporter, odoo, wanted.source)
            )
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
        odoo = _services(stack)
        known = _databases(stack, reporter)
        if name + BEFORE not in known:
            raise OpsError("there is nothing to go back to", "See: inv swarm.backups")
        agreement.agree(reporter, f"the database {name}{BEFORE}", name, known)
        with _stopped(stack, reporter, odoo):
            _put_back(stack, reporter)
    return Restored(name + BEFORE, name, replaced=False, missing_files=0)


@contextmanager
def _alone(stack: Stack) -> Iterator[None]:
    """While neither a deployment nor a backup is made."""
    nodes.require_manager(stack.runner)
    if stack.runner.dry:
        raise UsageError("backups cannot be rehearsed", "`inv swarm.backups` changes nothing.")
    with (
        file_lock(stack.settings.state_folder / "swarm.lock", "swarm.restore"),
        file_lock(repository.lock(stack.settings), "swarm.restore"),
    ):
        yield


def _services(stack: Stack) -> list[services.ServiceState]:
    """Those of Odoo, and how many tasks each should have.

    As many as a deployment gives them where a restore that was killed has left none.
    """
    replicas = deploy.of_swarm(stack).settings.replicas
    return [
        replace(one, wanted=one.wanted or (replicas if one.name == "odoo" else 1))
        for one in deploy.deployed(stack)
        if one.name in ODOO
    ]


def _databases(stack: Stack, reporter: Reporter) -> dict[str, int]:
    return once.ask(stack, reporter, _RESTORE, "databases", kind=dict[str, int])


def _stage_backup(
    stack: Stack, reporter: Reporter, odoo: list[services.ServiceState], wanted: str
) -> StagedBackup:
    name = stack.settings.database
    with reporter.step("Looking the backup up"):
        offer = once.ask(stack, reporter, _RESTORE, "offer", wanted, kind=RestoreOffer)
    backup = offer.backup
    version = agreement.fit(reporter, backup, _odoo_here(stack, odoo), _ORIGIN)
    what = f"the backup {backup.id} of {backup.created} ({backup.database})"
    agreement.agree(reporter, what, name, offer.databases)
    words = [backup.id, name + STAGED, "--live", name, "--odoo", version]
    with reporter.step("Restoring and verifying beside what is live"):
        return once.ask(stack, reporter, _RESTORE, "stage", *words, kind=StagedBackup)


def _stage_moment(
    stack: Stack, reporter: Reporter, odoo: list[services.ServiceState], moment: Moment
) -> StagedMoment:
    name = stack.settings.database
    with reporter.step("Asking for the databases"):
        known = _databases(stack, reporter)
    here = _odoo_here(stack, odoo)
    agreement.agree(reporter, f"{name} as of {moment.shown}", name, known)
    words = [name, name + STAGED, "--live", name, "--odoo", here.odoo, *moment.options]
    with reporter.step("Restoring and verifying beside what is live"):
        found = once.ask(stack, reporter, _RECOVERY, "stage", *words, kind=StagedMoment)
    agreement.fit(reporter, found, here, _ORIGIN)
    return found


def _odoo_here(stack: Stack, odoo: list[services.ServiceState]) -> OdooInfo:
    """Version and modules of the Odoo that the services run; a container of its image tells."""
    settings = stack.settings
    mounts = {
        settings.root / "toolbox": "/opt/platform/toolbox",
        settings.secrets_folder / "db_password.txt": "/run/secrets/db_password",
    }
    variables = {
        "ODOO_RC": "/run/odoo/odoo.conf",
        "ODOO_DATABASE": "postgres",
        "PGUSER": "odoo",
        "PYTHONPATH": "/etc/odoo:/opt/platform",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    options = ["--rm", "--network=none", "--read-only"]
    options += [f"--tmpfs={place}" for place in ("/tmp", "/run/odoo", "/var/lib/odoo")]  # noqa: S108
    options += [f"--volume={source}:{target}:ro" for source, target in mounts.items()]
    options += [f"--env={name}={value}" for name, value in variables.items()]
    program = [odoo[0].image, "python3", "-P", "-m", "toolbox.backup.odoo_info"]
    done = stack.runner.run(["docker", "run", *options, *program], timeout=600, check=False)
    if not done.ok:
        raise OpsError(f"Odoo does not tell its version: {done.last_line}", "inv swarm.deploy")
    return oneoff.answer(OdooInfo, done.stdout.splitlines()[-1])


def _put_in_place(
    stack: Stack,
    reporter: Reporter,
    odoo: list[services.ServiceState],
    before: Mapping[str, int],
) -> bool:
    """Replace the database, of those `before`, by the staged one; whether there was one."""
    name = stack.settings.database
    try:
        with _stopped(stack, reporter, odoo):
            return once.ask(stack, reporter, _RESTORE, "swap", name, kind=SwapResult).replaced
    except BaseException as error:
        hint = _return(stack, reporter, odoo, before)
        if isinstance(error, OpsError):
            raise OpsError(error.message, f"{hint} {error.hint}".strip()) from error
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
            with _stopped(stack, reporter, odoo):
                _put_back(stack, reporter)
    except OpsError as second:
        return (
            f"Putting it back failed too ({second.message})."
            " See: inv swarm.status, inv swarm.restore --undo."
        )
    return "What was there before is there again." if name in before else "There was none before."


def _put_back(stack: Stack, reporter: Reporter) -> None:
    once.ask(stack, reporter, _RESTORE, "back", stack.settings.database, kind=UndoResult)


@contextmanager
def _stopped(stack: Stack, reporter: Reporter, odoo: list[services.ServiceState]) -> Iterator[None]:
    """While the block runs, no Odoo does; afterwards, however it ends, as many as before."""
    try:
        with reporter.step("Stopping Odoo"):
            _scale(stack, {one.id: 0 for one in odoo})
            _await_end(stack, odoo)
        yield
    finally:
        before = {one.name: one.updated for one in services.look(stack)}
        with reporter.step("Starting Odoo"):
            _scale(stack, {one.id: one.wanted for one in odoo})
            own = {one.id for one in odoo}
            services.wait(stack, before, seconds=_START_SECONDS, only=lambda state: state.id in own)


def _scale(stack: Stack, counts: Mapping[str, int]) -> None:
    wanted = [f"{number}={count}" for number, count in counts.items()]
    argv = ["docker", "service", "scale", "--detach", *wanted]
    stack.runner.run(argv, timeout=120, changes=True)


def _await_end(stack: Stack, odoo: list[services.ServiceState]) -> None:
    """Until no container of it runs; what a node that is away may run reaches no database."""
    there = {node.id for node in nodes.all_nodes(stack.runner) if node.state == "ready"}
    deadline = time.monotonic() + _STOP_SECONDS
    while True:
        tasks = [task for one in odoo for task in once.tasks(stack, one.id)]
        left = [task for task in tasks if not once.ended(task) and task.get("NodeID") in there]
        if not left:
            return
        if time.monotonic() > deadline:
            raise OpsError(f"{len(left)} tasks of Odoo do not end", "inv swarm.status")
        time.sleep(_POLL_SECONDS)


def _try_to_discard(stack: Stack, reporter: Reporter, service: str) -> None:
    """Take away what a failure left; that failure is the one to tell, whatever comes of it."""
    staged = stack.settings.database + STAGED
    try:
        once.ask(stack, reporter, service, "discard", staged, kind=dict[str, str])
    except OpsError as error:
        reporter.note(f"{staged} is left behind until the next restore: {error.message}")
