"""Progress and notes on standard error."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from toolbox.contract.messages import NOTE, PERCENT, PROGRESS, PROGRESS_WANTED
from toolbox.core.text import printable


def say(text: str) -> None:
    """Report progress."""
    print(f"{PROGRESS}{printable(text)}", file=sys.stderr, flush=True)


def note(text: str) -> None:
    """Report something important, which `inv` shows even without a terminal."""
    print(f"{NOTE}{printable(text)}", file=sys.stderr, flush=True)


def log(text: str) -> None:
    """A line in the log of a service that runs all the time."""
    print(printable(text), file=sys.stderr, flush=True)


def wanted() -> bool:
    """Whether somebody watches how far the work is."""
    return os.environ.get(PROGRESS_WANTED) == "1"


class Percentage:
    """How far some work is, told once a second where that is wanted.

    Of parts that are done side by side, the one that is behind counts.
    """

    _SECONDS = 1.0

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._parts: dict[str, float] = {}
        self._told = 0.0

    def begin(self) -> None:
        """Tell what is done from now on, without a percentage."""
        if wanted():
            print(f"{PERCENT}- {self._doing}", file=sys.stderr, flush=True)

    def tell(self, done: float, part: str = "") -> None:
        """The fraction `done` (0 to 1) of `part` is done."""
        self._parts[part] = min(1.0, max(0.0, done))
        if wanted() and time.monotonic() - self._told >= self._SECONDS:
            self._told = time.monotonic()
            percent = min(99.9, min(self._parts.values()) * 100)
            print(f"{PERCENT}{percent:.1f} {self._doing}", file=sys.stderr, flush=True)

    @contextmanager
    def watching(self, done: Callable[[], float], part: str = "") -> Iterator[None]:
        """Tell what `done` says, while the block runs."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(self._SECONDS):
                self.tell(done(), part)

        watcher = threading.Thread(target=watch, daemon=True)
        if wanted():
            watcher.start()
        try:
            yield
        finally:
            over.set()
            if watcher.is_alive():
                watcher.join()
