"""What all parts of the backup program share: its one error, progress, and the clock."""

import os
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DATA = Path("/var/lib/odoo")  # the volume odoo_data
NO_FILES = "/no-files"  # in a set of a database that has none: three parts it always has
CACHE = Path("/var/cache/platform")  # a volume: restic's cache, and room for one dump
STAGED = "__restoring"  # what a database that is on its way is called, behind its name


class Failure(Exception):  # noqa: N818 - the word for what people are told
    """Something an operator can understand; `hint` says what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def shown(self) -> str:
        """The lines that end a program."""
        hint = f"hint: {printable(self.hint)}\n" if self.hint else ""
        return f"{hint}error: {printable(self.message)}"


def printable(text: str) -> str:
    """`text` as it may be shown on a terminal: names in it may be of a stranger's choice."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def say(text: str) -> None:
    """Progress, for whoever watches."""
    print(f"… {printable(text)}", file=sys.stderr, flush=True)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def filestore(database: str, data: Path = DATA) -> Path:
    """Where Odoo keeps the attachments of `database`."""
    return data / "filestore" / database


def write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def note(text: str) -> None:
    """Something worth knowing, which `inv` shows even where nobody watches."""
    print(f"note: {printable(text)}", file=sys.stderr, flush=True)


class Background:
    """Work beside the block; its failure is raised where the block ends, its answer is kept."""

    answer: Any

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Background":
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._thread.join()
        if self._error and not kind:  # the block's own failure came first and is the one to tell
            raise self._error

    def _run(self) -> None:
        try:
            self.answer = self._work()
        except BaseException as error:
            self._error = error
