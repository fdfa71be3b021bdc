"""The part of a rotation that the repository of backups sees: its key."""

from scripts.backups import service
from scripts.core.errors import OpsError
from scripts.rotation.work import Work

NAME = "backup_key"
_MOUNTED = "/run/rotation"
LOST = (
    "the key of the repository is lost, and a new one can be given to it only by the old one",
    "Put the key that `inv backup.key` once printed into secrets/backup_key.txt. If there is none"
    " any more, nobody can read those backups: name another, empty folder in BACKUP_FOLDER (or"
    " another BACKUP_REPOSITORY) in .env, then: inv secrets",
)


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
    service.refuse_colon(folder)
    try:
        service.ask(
            work.stack, work.reporter, service.MAKE, command, mounts={folder: f"{_MOUNTED}:ro"}
        )
    except OpsError as error:
        raise OpsError(f"the repository of backups: {error.message}", error.hint) from error
