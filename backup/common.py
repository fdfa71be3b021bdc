"""What all parts of the backup program share: its one error, progress, and the clock."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

DATA = Path("/var/lib/odoo")  # the volume odoo_data
CACHE = Path("/var/cache/platform")  # a volume: restic's cache, and room for one dump


class Failure(Exception):  # noqa: N818 - the word for what people are told
    """Something an operator can understand; `hint` says what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def say(text: str) -> None:
    """Progress, for whoever watches."""
    print(f"… {text}", file=sys.stderr, flush=True)


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
    print(f"note: {text}", file=sys.stderr, flush=True)
