"""The filestore: every file is named after the SHA-1 of its content, which is its proof."""

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

DATA = Path("/var/lib/odoo")  # the volume odoo_data
# Restic saves as much in about a second, so that a first pass would gain nothing.
QUICK_COUNT = 1_000
QUICK_BYTES = 32_000_000


def folder(database: str, data: Path = DATA) -> Path:
    """Where Odoo keeps the attachments of `database`."""
    return data / "filestore" / database


def sha1(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha1").hexdigest()


def digest(wanted: Mapping[str, tuple[int | None, str]]) -> str:
    """One digest of all names, sizes and checksums."""
    total = hashlib.sha256()
    for name in sorted(wanted):
        size, checksum = wanted[name]
        total.update(f"{name} {size} {checksum}\n".encode())
    return total.hexdigest()


def damaged(folder: Path, names: Iterable[str]) -> list[str]:
    """Those of `names` whose content is not what their name says, or that are not there."""

    def bad(name: str) -> bool:
        try:
            return sha1(folder / name) != name.rpartition("/")[2]
        except OSError:
            return True

    # Hashing releases Python's lock; the second thread reads while the first computes.
    listed = list(names)
    with ThreadPoolExecutor(max_workers=2) as pool:
        return [name for name, is_bad in zip(listed, pool.map(bad, listed), strict=True) if is_bad]


def stored(folder: Path) -> list[str]:
    """The files of a filestore, without Odoo's marks of what it is going to remove."""
    paths = (path for path in folder.glob("*/*") if path.parent.name != "checklist")
    return [str(path.relative_to(folder)) for path in paths if path.is_file()]


def link_intact(source: Path, target: Path, names: Collection[str]) -> set[str]:
    """Link those of `names` that are intact in `source` into `target`."""
    wrong = set(damaged(source, names))
    linked = set()
    for name in names:
        if name not in wrong:
            (target / name).parent.mkdir(exist_ok=True)
            try:
                os.link(source / name, target / name)
            except FileNotFoundError:  # Odoo takes files away meanwhile
                continue
            linked.add(name)
    return linked


def merge(source: Path, target: Path, names: Iterable[str]) -> int:
    """Move `names` from `source` into the live `target`; returns how many were new.

    One step for each file: a reader sees the whole file or none. What is there
    under the same name is replaced only where its content is wrong.
    """
    new = 0
    for name in names:
        place = target / name
        if place.exists() and place.samefile(source / name):
            continue
        place.parent.mkdir(exist_ok=True)
        (source / name).replace(place)
        new += 1
    return new


def link_all(source: Path, target: Path) -> None:
    """Link every file of a live filestore into `target`, so that it survives a clean-up there."""
    for path in source.glob("*/*"):
        if path.is_file() and path.parent.name != "checklist":
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, place)
    if target.is_dir():
        change_owner(source.stat(), target)


def mark_unused(folder: Path, names: Collection[str]) -> None:
    """Mark files that no attachment names for Odoo's own nightly clean-up."""
    for path in folder.glob("*/*"):
        name = str(path.relative_to(folder))
        if path.is_file() and name not in names and path.parent.name != "checklist":
            mark = folder / "checklist" / name
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()


def change_owner(owner: os.stat_result, folder: Path) -> None:
    """Make the user of Odoo's volume the owner, and let Nginx read, as Odoo does."""
    for place in _walk(folder):
        os.chown(place, owner.st_uid, owner.st_gid, follow_symlinks=False)
        place.chmod(0o755 if place.is_dir() else 0o644)


def _walk(folder: Path) -> Iterator[Path]:
    yield folder
    yield from folder.rglob("*")


def take_long_to_save(folder: Path, since: float) -> bool:
    """Whether files that are newer than `since` (seconds since 1970) take seconds to save."""
    count = size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                status = Path(parent, name).stat()
            except FileNotFoundError:  # Odoo takes files away meanwhile
                continue
            if status.st_ctime >= since:
                count, size = count + 1, size + status.st_size
        if count > QUICK_COUNT or size > QUICK_BYTES:
            return True
    return False
