"""The part of a rotation that the repository of backups sees: its key."""

import time
from itertools import count
from pathlib import Path

from scripts.backups import service, state
from scripts.core.errors import OpsError
from scripts.core.files import write_new
from scripts.core.report import Reporter
from scripts.rotation import dependents
from scripts.rotation.work import Work
from scripts.stack import archiver
from scripts.stack.compose import Stack

NAME = "backup_key"
_MOUNTED = "/run/rotation"
_REACH = (
    "Mount its disk, or see that its machine answers; then run this again. Where nothing of"
    " those backups is wanted: name another, empty folder in BACKUP_FOLDER (or another"
    " BACKUP_REPOSITORY) in .env."
)
LOST = (
    "the key of the repository is lost, and a new one can be given to it only by the old one",
    "Put the key that `inv backup.key` once printed into secrets/backup_key.txt. If there is none"
    " any more, nobody can read those backups: name another, empty folder in BACKUP_FOLDER (or"
    " another BACKUP_REPOSITORY) in .env, then: inv secrets",
)


def to_change(stack: Stack, reporter: Reporter, *, named: bool) -> bool | None:
    """Whether there is one to exchange the key of; None where the key has to stay as it is.

    A key that opens something nobody can look at now would be lost: it is left alone, and
    OpsError raised where the key was asked for by its name. Also raised where the key is lost
    or does not open the repository.
    """
    found = dependents.repository(stack)
    if found.there is None:
        message = f"secrets/{state.KEY_FILE} is left alone: {found.reason}"
        if named:
            raise OpsError(message, _REACH)
        reporter.note(message)
    if found.there:
        if not (stack.settings.secrets_folder / state.KEY_FILE).is_file():
            raise OpsError(*LOST)
        service.prepare(stack, reporter)
        service.run(stack, reporter, service.MAKE, "list")
    return found.there


def change(work: Work) -> None:
    """Let the new key open the repository too, and see that it does."""
    if work.plan.repository:
        with work.reporter.step("Giving the repository of backups its new key"):
            _ask(work, "key-add")


def finish(work: Work) -> None:
    """Have the old key open it no longer."""
    if work.plan.repository:
        with work.reporter.step("Removing the old key of the repository"):
            _ask(work, "key-finish")
            archiver.restart(work.stack)  # it mounts the new file then


def keep_old(work: Work) -> str:
    """Keep the old key beside the new one if it may open something yet; the name of its file.

    So it is where no repository was given the new one, and where the folder of backups here
    still holds one from before they went to another machine.
    """
    settings = work.stack.settings
    another = settings.backups_elsewhere and dependents.is_repository(settings.backup_folder)
    old = work.journal.old(NAME)
    if NAME not in work.plan.names or not old.strip() or (work.plan.repository and not another):
        return ""
    kept = settings.secrets_folder.glob(f"{NAME}.until-*.txt")
    if same := [path.name for path in kept if path.read_bytes() == old]:
        return same[0]  # by a run that was killed after it
    return _write(settings.secrets_folder, old)


def _write(folder: Path, old: bytes) -> str:
    day = time.strftime("%Y-%m-%d")
    names = (f"{NAME}.until-{day}{f'-{n}' if n > 1 else ''}.txt" for n in count(1))
    return next(name for name in names if write_new(folder / name, old, 0o600))


def tried(work: Work) -> set[str]:
    """The secret whose new value was seen to work."""
    return {NAME} if work.plan.repository else set()


def undo(work: Work) -> None:
    """Have the new key open it no longer."""
    if work.plan.repository:
        with work.reporter.step("Removing the new key of the repository"):
            _ask(work, "key-undo")


def _ask(work: Work, command: str) -> None:
    folder = work.journal.folder
    service.validate_mount_path(folder)
    try:
        service.run(
            work.stack, work.reporter, service.MAKE, command, mounts={folder: f"{_MOUNTED}:ro"}
        )
    except OpsError as error:
        raise OpsError(f"the repository of backups: {error.message}", error.hint) from error
