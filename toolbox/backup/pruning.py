"""Forgetting backups, and what interrupted runs have left."""

import os
import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from toolbox.backup import restic
from toolbox.contract.backups import PruneResult
from toolbox.core import postgres
from toolbox.core.errors import Failure


def forget(ids: Collection[str]) -> PruneResult:
    """Forget whole sets, and what interrupted runs left; then free the space they took."""
    restic.require_key()
    postgres.prepare()
    with postgres.advisory_lock("inv backup.prune"):
        restic.unlock()
        snapshots = restic.snapshots()
        known = {s.id: s for s in restic.sets(snapshots)}
        kept = {i for name, s in known.items() if name not in ids for i in s.snapshots.values()}
        named = {i for s in known.values() for i in s.snapshots.values()} - kept
        doomed = [
            s["id"]
            for s in snapshots
            if s["id"] in named or (s["id"] not in kept and _is_left_over(s))
        ]
        if known and not kept:
            raise Failure("that would forget the last backup, too", "Nothing was changed.")
        if doomed:
            restic.run("forget", "--prune", *doomed)
        else:
            restic.run("prune")  # a run that was killed may have saved data without a snapshot
    return PruneResult(forgotten=[name for name in ids if name in known], snapshots=len(doomed))


def _is_left_over(snapshot: dict[str, Any]) -> bool:
    """Whether it is part of no set, and no other installation may still be working on it."""
    tagged = any(tag.startswith("set=") for tag in snapshot.get("tags") or [])
    return tagged and (snapshot.get("hostname") == os.uname().nodename or _is_of_old(snapshot))


def _is_of_old(snapshot: dict[str, Any]) -> bool:
    """Whether it is of a manual run (Docker named its host) that has ended for sure."""
    by_hand = re.fullmatch(r"[0-9a-f]{12}", snapshot.get("hostname") or "")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    return bool(by_hand) and snapshot["time"][:19] < yesterday.isoformat()[:19]
