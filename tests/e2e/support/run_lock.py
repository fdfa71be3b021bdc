"""One lock for all processes of a test run: tests share it, a serial one has it alone."""

import fcntl
from pathlib import Path
from typing import IO


class RunLock:
    """A readers-writer lock between processes; who waits to be alone lets nobody else begin."""

    def __init__(self, folder: Path) -> None:
        self._entrance: IO[str] = (folder / "entrance.lock").open("w")
        self._running: IO[str] = (folder / "running.lock").open("w")
        self.alone = False

    def acquire(self, *, alone: bool) -> None:
        """Wait for the turn of a test; nothing to do where `alone` is held already."""
        if self.alone and alone:
            return
        # flock() is not fair: without an entrance, new readers would starve the writer.
        fcntl.flock(self._entrance, fcntl.LOCK_EX)
        fcntl.flock(self._running, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        self.alone = alone
        if not alone:
            fcntl.flock(self._entrance, fcntl.LOCK_UN)

    def release(self) -> None:
        """Let others begin."""
        self.alone = False
        fcntl.flock(self._running, fcntl.LOCK_UN)
        fcntl.flock(self._entrance, fcntl.LOCK_UN)
