"""The folder that all processes of a test run share, and what killed runs leave behind."""

import fcntl
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

_BEGINNING: Final = "test-run-"
_LOCK: Final = "run.lock"


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run. Its lock is held as long as the main process of that run lives."""

    path: Path
    lock: IO[str]

    @property
    def run(self) -> str:
        """The id of the run, which is part of the names of its containers and volumes."""
        return self.path.name.removeprefix(_BEGINNING)

    @classmethod
    def make(cls, parent: Path) -> "RunFolder":
        """A new one in `parent`."""
        path = parent / f"{_BEGINNING}{secrets.token_hex(4)}"
        path.mkdir(parents=True)
        lock = (path / _LOCK).open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        return cls(path, lock)

    def remove(self, clean: Callable[[str], object]) -> None:
        """Have `clean` remove what belongs to the run, then remove the folder."""
        clean(self.run)
        shutil.rmtree(self.path, ignore_errors=True)
        self.lock.close()


def remove_abandoned(parent: Path, clean: Callable[[str], object]) -> list[str]:
    """Remove the runs in `parent` whose main process has died; their ids."""
    removed = []
    for path in sorted(parent.glob(f"{_BEGINNING}*")):
        lock = (path / _LOCK).open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        abandoned = RunFolder(path, lock)
        abandoned.remove(clean)
        removed.append(abandoned.run)
    return removed
