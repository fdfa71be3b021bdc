"""How much room the volumes have, and from when on that is too little."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.core.checks import Finding, Status, worst

FORMAT: Final = "%i %S %b %a %c %d"  # of `stat -f`; postgres/health and its like have it too
_MIB: Final = 1024**2
_GIB: Final = 1024**3
_HINT: Final = "make room there; `docker system df -v` and `inv backup.prune` may help"


@dataclass(frozen=True)
class Room:
    """A file system. Bytes, and inodes, of which some kinds have no fixed number (0)."""

    identity: int
    total: int
    free: int
    inodes: int = 0
    free_inodes: int = 0

    @classmethod
    def parse(cls, line: str) -> "Room":
        """Read what `stat -f` printed in FORMAT; raises ValueError."""
        identity, *numbers = line.split()
        size, blocks, free, inodes, free_inodes = map(int, numbers)
        return cls(int(identity, 16), blocks * size, free * size, inodes, free_inodes)

    @classmethod
    def of_folder(cls, folder: Path) -> "Room":
        """That of a folder of this machine; raises OSError."""
        found = os.statvfs(folder)
        # The C library swaps what `stat` prints in the kernel's order.
        identity = (found.f_fsid & 0xFFFFFFFF) << 32 | found.f_fsid >> 32
        size = found.f_frsize
        return cls(
            identity, found.f_blocks * size, found.f_bavail * size, found.f_files, found.f_favail
        )

    @property
    def status(self) -> Status:
        """FAILED where services are about to stop writing, WARNING well before."""
        # A small one is judged by its share, a large one by what a night may need.
        least = min(256 * _MIB, self.total // 10)
        enough = min(max(self.total // 10, _GIB), 5 * _GIB, self.total // 4)
        some = self.inodes > 0
        if self.free < least or (some and self.free_inodes < min(1000, self.inodes // 50)):
            return Status.FAILED
        if self.free < enough or (some and self.free_inodes < min(100_000, self.inodes // 20)):
            return Status.WARNING
        return Status.OK

    def describe(self) -> str:
        """What is left, of what there is less."""
        if self.inodes and self.free_inodes * self.total < self.free * self.inodes:
            return f"{self.free_inodes} of {self.inodes} inodes are free"
        return f"{_size(self.free)} of {_size(self.total)} are free"


def finding(rooms: Mapping[str, Room]) -> Finding:
    """The worst of `rooms`, which are by the name of the volume; the full ones are named."""
    disks: dict[tuple[int, int], list[str]] = {}
    for name, room in rooms.items():
        disks.setdefault((room.identity, room.total), []).append(name)
    return worst([_of_disk(names, rooms[names[0]]) for names in disks.values()])


def _of_disk(names: Sequence[str], room: Room) -> Finding:
    return Finding(room.status, f"{', '.join(names)}: {room.describe()}", _HINT)


def _size(count: int) -> str:
    if count >= 10 * _GIB:
        return f"{count / _GIB:.0f} GiB"
    return f"{count / _GIB:.1f} GiB" if count >= _GIB else f"{count / _MIB:.0f} MiB"
