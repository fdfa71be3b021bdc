"""What a program prints, read line by line while it runs."""

import os
import threading
from collections.abc import Callable
from typing import IO, Final

_LAST_SECONDS: Final = 5  # for a grandchild that outlives the program and holds its output


class LineReader:
    """A pipe whose lines are given to a function, in a thread of its own.

    `writing` is for the program. `copy` gets everything as it comes, else it is in `text`.
    """

    def __init__(self, on_line: Callable[[str], None], copy: IO[bytes] | None = None) -> None:
        self._reading, self.writing = os.pipe()
        self._on_line, self._copy = on_line, copy
        self._lines: list[bytes] = []
        self._thread = threading.Thread(target=self._read, daemon=True)

    def start(self) -> None:
        """Begin to read; the program has its own copy of `writing` now."""
        os.close(self.writing)
        self._thread.start()

    def text(self) -> bytes:
        """All that was read until the end; b'' with `copy`."""
        self._thread.join(_LAST_SECONDS)
        return b"".join(self._lines)

    def abandon(self) -> None:
        """The program was not started."""
        os.close(self._reading)
        os.close(self.writing)

    def _read(self) -> None:
        with os.fdopen(self._reading, "rb") as stream:
            for line in stream:
                if self._copy:
                    self._copy.write(line)
                    self._copy.flush()
                else:
                    self._lines.append(line)
                self._on_line(line.decode(errors="replace").rstrip("\n"))
