"""How old the last backup is, and the last restore test, without opening the repository."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from scripts.backups import state, verified
from scripts.core import last_backup
from scripts.core.checks import Finding, InapplicableError, Status, worst
from scripts.core.settings import Environment, Settings

SOON: Final = timedelta(days=2)  # after which a nightly backup was missed
_FIRST: Final = timedelta(days=1)  # that a new database may be without one
_TESTED: Final = timedelta(days=35)
_NONE: Final = Finding(
    Status.WARNING, "none was made here", "inv backup; every night: inv backup --schedule"
)
_OK: Final = Finding(Status.OK)


@dataclass(frozen=True)
class BackupState:
    """The last backup that was made here, and the last that was verified; '' for none."""

    last: str
    made: str
    verified: str
    verified_at: str

    @property
    def age(self) -> timedelta | None:
        """That of the last; None if there is none."""
        return _age(self.made)


def read(settings: Settings) -> BackupState:
    """What is remembered in `.state/`."""
    last = last_backup.name(settings)
    proofs = []
    for path in verified.folder(settings).glob("*.json"):
        with suppress(OSError, ValueError, KeyError, TypeError):  # of another version, or half
            said = json.loads(path.read_text())
            proofs.append((str(said["verified"]), str(said["id"])))
    at, which = max(proofs, default=("", ""))
    return BackupState(last, _made(last), which, at)


def _made(name: str) -> str:
    """When the backup `name` was made, by its name; '' if that does not tell."""
    try:
        moment = datetime.strptime(name[:15], "%Y%m%d-%H%M%S")
    except ValueError:
        return ""
    return moment.replace(tzinfo=UTC).isoformat()


def _age(moment: str) -> timedelta | None:
    try:
        return datetime.now(UTC) - datetime.fromisoformat(moment)
    except (ValueError, TypeError):
        return None


def last(settings: Settings, *, scheduled: bool, database_age: Callable[[], float]) -> Finding:
    """Of the last backup: whether it is whole, recent, and can be read without this machine.

    `scheduled`: one is made every night. `database_age` in seconds is asked where there is none.
    Its age and its key matter in production, and where backups are scheduled.
    """
    found, wanted = read(settings), scheduled or settings.environment is Environment.PROD
    if not found.last:
        new = database_age() < _FIRST.total_seconds() if wanted else True
        return _OK if new else _NONE
    findings = [last_backup.finding(settings)]
    if wanted and found.age and found.age > SOON:
        hint = "inv backup shows what keeps it from being made" if scheduled else "inv backup"
        findings.append(_warning(f"the last is {found.age.days} days old", hint))
    if wanted and not state.key_was_shown(settings):
        lost = "nobody has taken their key elsewhere: without it they cannot be read"
        findings.append(_warning(lost, state.KEY_HINT))
    return worst(findings) if any(f != _OK for f in findings) else Finding(Status.OK, found.last)


def restore_test(settings: Settings) -> Finding:
    """Whether a backup of production was restored on trial lately."""
    found = read(settings)
    if settings.environment is not Environment.PROD or not found.last:
        raise InapplicableError
    age = _age(found.verified_at)
    if age is None:
        if found.age and found.age < SOON and not found.verified:
            return _OK  # the first one is new itself
        return _warning("no backup was ever restored on trial", "inv backup.verify")
    if age > _TESTED:
        return _warning(f"the last was {age.days} days ago", "inv backup.verify")
    return Finding(Status.OK, f"{found.verified}, {age.days} days ago")


def _warning(detail: str, hint: str) -> Finding:
    return Finding(Status.WARNING, detail, hint)
