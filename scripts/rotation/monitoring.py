"""The part of a rotation that the exporters of Prometheus see: the role, and both their files."""

from typing import Final

from scripts import monitoring
from scripts.rotation import dependents, sql, verifiers
from scripts.rotation.work import Work
from scripts.stack import readiness

_KEY: Final = "monitoring"  # in the journal; PostgreSQL's other role there has that of its service
_DATABASE: Final = "db_password"  # of which Redis's password is made


def change(work: Work) -> None:
    """Have PostgreSQL take the new password, if it has an old one, and the exporters both."""
    if work.concerns(monitoring.SECRET) and dependents.database(work.stack):
        readiness.ensure_running(work.stack, sql.DATABASE_SERVICE)
        if before := sql.role(work.stack, sql.DATABASE_SERVICE, monitoring.ROLE):
            work.remember(roles={**work.plan.roles, _KEY: before})
            monitoring.set_password(work.stack, work.journal.new(monitoring.SECRET))
    _hand_over(work)


def _hand_over(work: Work) -> None:
    if work.concerns(monitoring.SECRET, _DATABASE):
        monitoring.hand_over(work.stack)


def tried(work: Work) -> set[str]:
    """The secrets whose new values were seen to work."""
    return work.concerns(monitoring.SECRET) if _KEY in work.plan.roles else set()


def kept(work: Work) -> set[str]:
    """The secrets that stay new when this is undone: nobody knows the old ones."""
    return work.lost(monitoring.SECRET) if _KEY in work.plan.roles else set()


def undo_database(work: Work) -> None:
    """Have PostgreSQL keep what it kept before; the files are still the new ones."""
    if _KEY in work.plan.roles:
        readiness.ensure_running(work.stack, sql.DATABASE_SERVICE)
        new = verifiers.scram(work.journal.new(monitoring.SECRET)) if kept(work) else None
        stored = new or work.plan.roles[_KEY]
        text = sql.set_role(monitoring.ROLE, stored)
        sql.as_superuser(work.stack, sql.DATABASE_SERVICE, text, changes=True)


def undo_start(work: Work) -> None:
    """With the old files in their place, have the exporters read those."""
    _hand_over(work)
