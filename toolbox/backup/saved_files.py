"""Saving the files of attachments, and whether those that the database names were saved whole."""

import hashlib
import json
import re
import stat
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from toolbox.backup import repository, restic
from toolbox.core import filestore, progress
from toolbox.core.progress import Percentage

UNREADABLE = 3  # restic saved all but some files; whether one mattered is seen afterwards
# What may be wrong with the file of an attachment, as manifests have it.
MISSING, OTHER, DAMAGED = "no file", "another size or checksum", "damaged"
_VERIFIED = restic.CACHE / "verified.json"
_CHUNK = 1 << 20
_TICK = 1.0  # seconds by which the stamp of a change may be older than the change


@dataclass
class Saved:
    """A snapshot of the files."""

    path: str  # in the snapshot
    began: float = field(default_factory=time.time)
    summary: dict[str, Any] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)  # that restic says to have saved


def save(folder: Path, tags: list[str], told: Percentage | None = None) -> Saved:
    """Save the filestore in `folder`; `told` hears how far that is, which takes a look at all."""
    saved, prefix = Saved(str(folder)), f"{folder}/"
    options = ["--verbose=2", "--exclude", str(folder / "checklist")]
    options += [] if told and progress.wanted() else ["--no-scan"]
    accept = (0, UNREADABLE)
    for message in restic.messages("backup", *tags, *options, str(folder), accept=accept):
        if message["message_type"] == "summary":
            saved.summary = message
        elif message["message_type"] == "status" and told:
            told.tell(message.get("percent_done", 0.0))
        elif message["message_type"] == "verbose_status":
            saved.names.add(message.get("item", "").removeprefix(prefix))
    return saved


@dataclass(frozen=True)
class Verified:
    """What earlier backups know of the files."""

    until: float = 0.0  # files that have not changed since were checked
    damaged: frozenset[str] = frozenset()  # of those, the ones that were not whole

    def is_known(self, name: str, changed: float) -> bool:
        """Whether a file that was last changed at `changed` is known to be whole."""
        return changed < self.until and name not in self.damaged


def verified(database: str) -> Verified:
    """What the last complete backup of it here knew, when it began."""
    known = _verified().get(database)
    return Verified(known["began"] - _TICK, frozenset(known["damaged"])) if known else Verified()


def remember(database: str, began: float, lost: Mapping[str, str]) -> None:
    """Record that the files of `database` were checked by a complete backup."""
    damaged = sorted(name for name, reason in lost.items() if reason == DAMAGED)
    known = {**_verified(), database: {"began": began, "damaged": damaged}}
    partial = _VERIFIED.with_suffix(".partial")
    partial.write_text(json.dumps({repository.identity(): known}))
    partial.replace(_VERIFIED)


def _verified() -> dict[str, Any]:
    """Of databases into this repository: the first backup into another one looks at all files."""
    try:
        known: dict[str, Any] = json.loads(_VERIFIED.read_text()).get(repository.identity(), {})
    except (OSError, ValueError):
        return {}
    return {name: row for name, row in known.items() if isinstance(row, dict)}


def lost(
    saved: Saved, folder: Path, wanted: Mapping[str, tuple[int | None, str]], known: Verified
) -> dict[str, str]:
    """The attachments of the database whose file the snapshot does not have whole, and why not."""
    found = _as_they_are(saved, folder, wanted)
    reasons, fresh = dict.fromkeys(wanted, MISSING), []
    for name, saved_size, changed in _listed(saved) if found is None else found:
        if name not in reasons:
            continue
        del reasons[name]
        size, checksum = wanted[name]
        other = checksum and checksum != name.rpartition("/")[2]
        if other or (size is not None and size != saved_size):
            reasons[name] = OTHER
        elif not known.is_known(name, changed):
            fresh.append(name)
    # Older ones had their turn in an earlier backup: they are named after their content,
    # and a changed one has a new change time.
    wrong = filestore.damaged(folder, fresh)
    damaged = [name for name in wrong if _still_wrong(saved, folder / name)]
    return dict(sorted({**reasons, **dict.fromkeys(damaged, DAMAGED)}.items()))


def _as_they_are(
    saved: Saved, folder: Path, wanted: Mapping[str, Any]
) -> list[tuple[str, int, float]] | None:
    """Name, size and time of the last change of each, as it is on disk.

    None where the snapshot may differ. A file that restic has named, and that has not changed
    since, is in it as it is on disk, and restic need not open the repository again.
    """
    if not wanted.keys() <= saved.names:
        return None
    found = []
    for name in wanted:
        try:
            status = (folder / name).lstat()
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(status.st_mode) or status.st_ctime >= saved.began - _TICK:
            return None
        found.append((name, status.st_size, status.st_ctime))
    return found


def _listed(saved: Saved) -> Iterator[tuple[str, int, float]]:
    """The same of all files of the snapshot, as it has them."""
    for node in restic.listing(saved.summary["snapshot_id"]):
        changed = _seconds(node.get("ctime") or node["mtime"])
        yield node["path"].removeprefix(f"{saved.path}/"), node["size"], changed


def _still_wrong(saved: Saved, file: Path) -> bool:
    """Whether the saved file is damaged: Odoo may have removed it since the lock was released."""
    if file.exists():
        return True
    place = ("dump", "--no-lock", saved.summary["snapshot_id"], str(file))
    digest = hashlib.sha1()
    with restic.start(*place, stdout=subprocess.PIPE) as process:
        assert process.stdout
        while chunk := process.stdout.read(_CHUNK):
            digest.update(chunk)
    return process.returncode != 0 or digest.hexdigest() != file.name


def _seconds(stamp: str) -> float:
    """RFC 3339 with nanoseconds, which Python's own parser does not take."""
    whole, zone = re.fullmatch(r"(.{19})(?:\.\d+)?(.+)", stamp).groups()  # type: ignore[union-attr]
    return datetime.fromisoformat(whole + zone.replace("Z", "+00:00")).timestamp()
