"""Attachments of every database, saved within half a minute.

Odoo names each file after its content, writes it before the row that names it, and removes it
only when it has not been named for longer than moments are kept (odoo/addons/platform_files).
So the filestore holds the files of every moment that can be restored, and it is enough to save
what is new. A snapshot of all files is taken once a day; between two of those, a second one has
what has come since. Which that is, the times of the folders tell: a pass looks at 256 of them,
however many files there are.
"""

import json
import os
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from toolbox.archive.places import FILES
from toolbox.backup import owner, repository, restic, saved_files
from toolbox.contract import names
from toolbox.contract.codec import decode
from toolbox.core import filestore

SECONDS = 20.0  # between two passes
WHOLE, RECENT = "whole", "recent"
_DAY = 24 * 3600.0
_MOST = 2_000  # new files, from which on a snapshot of all is as quick
_TICK = 2.0  # seconds by which the time of a change may be older than the change
_KEPT = 2  # snapshots of what has come, beside the last
_FORGET = 20  # of those that nobody needs, until they are forgotten
_LONGER = 8  # days


@dataclass(frozen=True)
class Saved:
    """What is saved of the files of a database."""

    whole: str = ""  # the snapshot of all files
    began: float = 0.0  # when that was begun
    until: float = 0.0  # files that had come by then are saved
    recent: str = ""  # the snapshot of what has come since `whole`
    names: tuple[str, ...] = ()  # of the files in that
    useless: tuple[str, ...] = field(default=())  # snapshots that others have replaced


def save_all(archive: str, days: int) -> float:
    """Save what is new of every database; until when all is saved (seconds since 1970).

    Snapshots of all files stay for as long as base backups do, which is up to a week longer than
    the `days` for which moments are kept.
    """
    begun = time.time()
    known = _load()
    for database in _databases():
        before = known.get(database, Saved())
        after = _save(archive, database, before)
        if after != before:
            known[database] = after
            _store(known)
        if after.names != before.names or after.whole != before.whole:
            owner.apply(since=begun - _TICK)
        if after.whole != before.whole:
            _forget_old(archive, known, begun - (days + _LONGER) * _DAY)
    return begun


def _databases() -> list[str]:
    """Those with files, but for what is on its way and what is kept to go back to."""
    root = filestore.folder("")
    found = [path.name for path in root.iterdir()] if root.is_dir() else []
    return sorted(name for name in found if re.fullmatch(names.DATABASE_NAME, name))


def _save(archive: str, database: str, known: Saved) -> Saved:
    now, folder = time.time(), filestore.folder(database)
    # One that was set back: what has come since would be taken for older.
    clock_is_wrong = now < known.until
    if not known.whole or now - known.began > _DAY or clock_is_wrong:
        return _forget(_save_whole(archive, database, known, now))
    fresh = _changed(folder, known.until - _TICK) - set(known.names)
    if not fresh:
        return replace(known, until=now)
    every = tuple(sorted({*known.names, *fresh}))
    if len(every) > _MOST:
        return _forget(_save_whole(archive, database, known, now))
    snapshot = _save_recent(archive, database, known.recent, every)
    useless = (*known.useless, *([known.recent] if known.recent else []))
    return _forget(replace(known, until=now, recent=snapshot, names=every, useless=useless))


def _save_whole(archive: str, database: str, known: Saved, now: float) -> Saved:
    folder = filestore.folder(database)
    options = ["--exclude", str(folder / "checklist"), "--no-scan", str(folder)]
    accept = (0, saved_files.UNREADABLE)  # removed meanwhile, by hand or with its database
    said = restic.run("backup", *_tags(archive, database, WHOLE), *options, accept=accept)
    useless = (*known.useless, *([known.recent] if known.recent else []))
    return Saved(restic.summary(said)["snapshot_id"], began=now, until=now, useless=useless)


def _save_recent(archive: str, database: str, parent: str, every: Sequence[str]) -> str:
    folder = filestore.folder(database)
    with tempfile.NamedTemporaryFile(dir=restic.CACHE) as listed:
        listed.write(b"".join(os.fsencode(folder / name) + b"\0" for name in every))
        listed.flush()
        options = ["--files-from-raw", listed.name, "--no-scan"]
        options += ["--parent", parent] if parent else []
        accept = (0, saved_files.UNREADABLE)
        said = restic.run("backup", *_tags(archive, database, RECENT), *options, accept=accept)
    return str(restic.summary(said)["snapshot_id"])


def _tags(archive: str, database: str, kind: str) -> list[str]:
    return ["--tag", ",".join(tags(archive, database, kind)), "--host", archive, "--json"]


def tags(archive: str, database: str, kind: str) -> tuple[str, ...]:
    """What snapshots of that `kind`, WHOLE or RECENT, are found by."""
    return ("part=attachments", f"kind={kind}", f"database={database}", f"archive={archive}")


def _changed(folder: Path, since: float) -> set[str]:
    """Files that have come, or changed, since then: a new one changes the time of its folder."""
    found = set()
    with os.scandir(folder) as places:
        for place in places:
            if len(place.name) == 2 and place.stat().st_mtime >= since:
                with os.scandir(place) as files:
                    found |= {
                        f"{place.name}/{file.name}"
                        for file in files
                        if file.stat(follow_symlinks=False).st_ctime >= since and file.is_file()
                    }
    return found


def _forget(saved: Saved) -> Saved:
    """Have the repository forget what nobody needs, not each time."""
    if len(saved.useless) < _FORGET:
        return saved
    doomed = saved.useless[: -_KEPT + 1]
    restic.forget(doomed)
    return replace(saved, useless=saved.useless[-_KEPT + 1 :])


def _forget_old(archive: str, known: dict[str, Saved], before: float) -> None:
    """The same of what is older, also of databases that are gone."""
    used = {snapshot for each in known.values() for snapshot in (each.whole, each.recent)}
    tagged = restic.snapshots(f"part=attachments,archive={archive}")
    old = [s for s in tagged if datetime.fromisoformat(s["time"]).timestamp() < before]
    if doomed := [str(s["id"]) for s in old if str(s["id"]) not in used]:
        restic.forget(doomed)


def _load() -> dict[str, Saved]:
    """By database; nothing where the repository is another one than it was."""
    try:
        found: dict[str, Any] = json.loads(FILES.read_text())
        if found.get("repository") != repository.identity():
            return {}
        return {name: decode(Saved, each) for name, each in found["databases"].items()}
    except (OSError, ValueError, KeyError, AttributeError):
        return {}


def _store(known: dict[str, Saved]) -> None:
    databases = {name: asdict(each) for name, each in known.items()}
    partial = FILES.with_suffix(".partial")
    partial.write_text(json.dumps({"repository": repository.identity(), "databases": databases}))
    partial.replace(FILES)
