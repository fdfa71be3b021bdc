"""Processes with which lines are exchanged, such as a change of modules in a container."""

import queue
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

from scripts.core.completed import Completed
from scripts.core.interruption import SIGNAL_SECONDS

_UNDO_SECONDS: Final = 600  # what such a process may take to put things right


class InteractiveProcess(Protocol):
    """A process with which lines are exchanged, one at a time."""

    def read_line(self) -> str:
        """The next line it prints, '' when it prints no more."""
        ...

    def write_line(self, line: str) -> None:
        """Send it a line; one that has ended hears nothing."""
        ...

    def leave(self) -> None:
        """Say no more, which another thread may do while we hear."""
        ...

    def end(self) -> Completed:
        """Say no more, and wait for its end; what it printed last and all its errors."""
        ...


@dataclass
class SystemProcess:
    """The real InteractiveProcess, with its child."""

    child: subprocess.Popen[str]
    redact: Callable[[str], str]
    on_stderr: Callable[[str], None]
    _errors: list[str] = field(default_factory=list)
    # '' after the last. A thread reads them: a signal that comes just before a read that blocks
    # would be noticed at the end of that.
    _lines: queue.Queue[str] = field(default_factory=queue.Queue)
    _ended: bool = False

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._reader.start()
        threading.Thread(target=self._read_lines, daemon=True).start()

    def _read_lines(self) -> None:
        assert self.child.stdout
        with self.child.stdout as stream:
            for line in stream:
                self._lines.put(line)
        self._lines.put("")

    def _read_errors(self) -> None:
        assert self.child.stderr
        for line in self.child.stderr:
            self._errors.append(self.redact(line.rstrip("\n")))
            self.on_stderr(self._errors[-1])

    def read_line(self) -> str:
        """See InteractiveProcess.read_line."""
        return self.redact(self._next_line().rstrip("\n"))

    def _next_line(self) -> str:
        while not self._ended:
            with suppress(queue.Empty):
                line = self._lines.get(timeout=SIGNAL_SECONDS)
                self._ended = not line
                return line
        return ""

    def write_line(self, line: str) -> None:
        """See InteractiveProcess.write_line."""
        assert self.child.stdin
        with suppress(BrokenPipeError, ValueError):  # by its end, by ours
            self.child.stdin.write(line + "\n")
            self.child.stdin.flush()

    def leave(self) -> None:
        """See InteractiveProcess.leave."""
        with suppress(BrokenPipeError):
            self.child.stdin.close()  # type: ignore[union-attr]

    def end(self) -> Completed:
        """See InteractiveProcess.end."""
        self.leave()
        rest = "".join(iter(self._next_line, ""))
        try:
            self.child.wait(_UNDO_SECONDS)
        finally:
            self.child.kill()  # nothing, once it has ended
        self._reader.join(1)
        argv = tuple(map(self.redact, map(str, self.child.args)))  # type: ignore[arg-type]
        errors = "\n".join(self._errors)
        return Completed(argv, self.child.returncode, self.redact(rest), errors)
