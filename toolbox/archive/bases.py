"""Base backups: when one is due, and making it."""

import time
from collections.abc import Callable
from datetime import datetime

from toolbox.archive import gaps, pgbackrest, places, queue
from toolbox.archive.server import Server
from toolbox.contract.archive import ArchiveInfo, BaseBackup
from toolbox.core.errors import Failure
from toolbox.core.progress import log

_DAY = 24 * 3600.0
_FULL_EVERY = 7 * _DAY
_EARLY = 600.0  # seconds that one may be early, or it would come later every day
_HOUR = 3600.0


def seconds(stamp: str) -> float:
    """Since 1970."""
    return datetime.fromisoformat(stamp).timestamp()


def due(found: ArchiveInfo, now: float, *, gap: bool) -> str:
    """The kind of the base backup that has to be made now, '' if none has to."""
    if not found.bases or not any(base.kind == "full" for base in found.bases):
        return "full"
    last_full = max(seconds(base.begins) for base in found.bases if base.kind == "full")
    last = max(seconds(base.begins) for base in found.bases)
    if now - last_full >= _FULL_EVERY - _EARLY:
        return "full"
    # Without WAL there is no way from an older one to any moment after the gap.
    if gap or now - last >= _DAY - _EARLY:
        return "incr"
    return ""


class Bases:
    """The base backups of this server."""

    def __init__(self, name: str, covered: Callable[[], tuple[str, str]]) -> None:
        """`covered` tells up to when all WAL is archived, and the name of its last segment."""
        self._name = name
        self._covered = covered
        self._server = Server()  # of its own: this is another thread
        self._known: ArchiveInfo | None = None
        self._looked = 0.0

    @property
    def known(self) -> tuple[BaseBackup, ...] | None:
        """What the repository had at the last look; None before the first."""
        return self._known.bases if self._known else None

    def work(self) -> None:
        """Make one if it is due; raises Failure if that is impossible."""
        now = time.time()
        if self._known is None or abs(now - self._looked) > _HOUR:
            self._known, self._looked = pgbackrest.archive(self._name), now
        if (since := queue.given_up()) is not None:
            until, segment = self._covered()
            begins = min(pgbackrest.iso(since), until or pgbackrest.iso(since))
            gaps.begin(begins, segment, "WAL was given up, as the disk would have become full")
        kind = due(self._known, now, gap=gaps.is_open())
        if not kind:
            return
        # Before it: what is given up from now on is a gap of its own.
        queue.begin_again()
        begun = pgbackrest.iso(time.time())
        self._make(kind)
        self._known = pgbackrest.archive(self._name)
        if self._known.bases:
            gaps.end(begun, self._known.bases[-1].ends)
            self._annotate(self._known.bases[-1].label)
            self._known = pgbackrest.archive(self._name)

    def _make(self, kind: str) -> None:
        log(f"making a base backup ({kind})")
        pgbackrest.run("backup", f"--type={kind}", name=self._name, by=("nice", "-n", "10"))

    def _annotate(self, label: str) -> None:
        """Note in the base backup which transactions can only come after it."""
        [following] = self._server.ask("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
        note = f"--annotation={pgbackrest.NEXT_TRANSACTION}={following}"
        pgbackrest.run("annotate", f"--set={label}", note, name=self._name)


def forget(name: str) -> None:
    """Remove the archive `name` of another server, or one without a base backup.

    Raises Failure for that of this server, and where there is none of that name.
    """
    own = places.NAME.read_text().strip() if places.NAME.is_file() else ""
    if not (found := [each for each in pgbackrest.archives() if each.name == name]):
        raise Failure(f"there is no archive {name} in the repository")
    if name == own and found[0].bases:
        raise Failure(f"{name} is the archive of this server", "It is kept for BACKUP_DAYS.")
    for kind in ("backup", "archive"):
        pgbackrest.run("repo-rm", "--recurse", f"{kind}/{name}")
