"""Processes with which lines are exchanged, such as a change of modules in a container."""

import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

from scripts.core.completed import Completed

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

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._reader.start()

    def _read_errors(self) -> None:
        assert self.child.stderr
        for line in self.child.stderr:
            self._errors.append(self.redact(line.rstrip("\n")))
            self.on_stderr(self._errors[-1])

    def read_line(self) -> str:
        """See InteractiveProcess.read_line."""
        assert self.child.stdout
        return self.redact(self.child.stdout.readline().rstrip("\n"))

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
        assert self.child.stdout
        self.leave()
        rest = self.child.stdout.read() if not self.child.stdout.closed else ""
        try:
            self.child.wait(_UNDO_SECONDS)
        finally:
            self.child.kill()  # nothing, once it has ended
        self._reader.join(1)
        self.child.stdout.close()
        argv = tuple(map(self.redact, map(str, self.child.args)))  # type: ignore[arg-type]
        errors = "\n".join(self._errors)
        return Completed(argv, self.child.returncode, self.redact(rest), errors)
