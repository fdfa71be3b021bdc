"""The only place that starts processes."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn, Protocol

from scripts.core.errors import OpsError

_TAIL_LINES = 15
_GRACE_SECONDS = 60  # as long as Compose gives the containers of backups


@dataclass(frozen=True)
class Completed:
    """What a finished process left behind."""

    argv: tuple[str, ...]
    code: int
    stdout: str = ""
    stderr: str = ""

    @property
    def ok(self) -> bool:
        """Whether the exit code was 0."""
        return self.code == 0

    @property
    def last_line(self) -> str:
        """The last line it printed, of the errors if there are any, else ''."""
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return lines[-1].strip() if lines else ""


class CommandFailedError(OpsError):
    """A process ended with a non-zero exit code."""

    def __init__(self, completed: Completed, hint: str = "") -> None:
        output = (completed.stderr.strip() or completed.stdout.strip()).splitlines()
        shown = "".join(f"\n  {line}" for line in output[-_TAIL_LINES:])
        command = shlex.join(completed.argv[:6]) + (" …" if len(completed.argv) > 6 else "")
        super().__init__(f"`{command}` failed with exit code {completed.code}{shown}", hint)
        self.completed = completed


class Runner(Protocol):
    """Runs argument lists, never shell strings."""

    @property
    def dry(self) -> bool:
        """Whether commands that change something are shown and not run."""
        ...

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        stdout: IO[bytes] | None = None,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = True,
        changes: bool = False,
    ) -> Completed:
        """Run `argv` to its end.

        `stdout` receives both streams as they come, instead of the result.
        `env` is added to this process's own. `changes` marks a command that a
        dry run must not run. Raises CommandFailedError if `check` and the exit code
        is not 0, and OpsError if the program is missing or `timeout` seconds
        have passed (it is then killed).
        """
        ...

    def replace(self, argv: Sequence[str]) -> NoReturn:
        """Become `argv`: for interactive programs, which then own the terminal."""
        ...

    def detach(self, argv: Sequence[str], log: Path) -> int:
        """Start a daemon in a session of its own; gives back its process id."""
        ...


class TerminatedError(KeyboardInterrupt):
    """SIGTERM. Unlike Ctrl-C, which reaches everybody at the terminal, only we have heard it."""


@dataclass(frozen=True)
class SystemRunner:
    """The real runner. `redact` takes secrets out of whatever it shows."""

    dry: bool = False
    echo: bool = False
    redact: Callable[[str], str] = str

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        stdout: IO[bytes] | None = None,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = True,
        changes: bool = False,
    ) -> Completed:
        """See Runner.run."""
        if self._skip(argv, changes):
            return Completed(tuple(argv), 0)
        try:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=stdout or subprocess.PIPE,
                stderr=subprocess.STDOUT if stdout else subprocess.PIPE,
                env={**os.environ, **env} if env else None,
            )
            out, err = _await(child, stdin.encode() if stdin is not None else None, timeout)
        except (FileNotFoundError, PermissionError) as error:
            raise OpsError(f"the program {argv[0]!r} is not installed") from error
        except subprocess.TimeoutExpired as error:
            raise OpsError(
                self.redact(f"`{shlex.join(argv[:6])}`") + f" gave no answer within {timeout:.0f} s"
            ) from error
        completed = Completed(
            tuple(map(self.redact, argv)),
            child.returncode,
            self._text(out),
            self._text(err),
        )
        if check and not completed.ok:
            raise CommandFailedError(completed)
        return completed

    def replace(self, argv: Sequence[str]) -> NoReturn:
        """See Runner.replace."""
        if self._skip(argv, changes=True):
            raise SystemExit(0)
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            os.execvp(argv[0], list(argv))
        except FileNotFoundError as error:
            raise OpsError(f"the program {argv[0]!r} is not installed") from error

    def detach(self, argv: Sequence[str], log: Path) -> int:
        """See Runner.detach."""
        if self._skip(argv, changes=True):
            return 0
        with log.open("ab") as stream:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        return child.pid

    def _skip(self, argv: Sequence[str], changes: bool) -> bool:
        skip = self.dry and changes
        if self.echo or skip:
            print(self.redact(f"$ {shlex.join(argv)}"), file=sys.stderr, flush=True)
        return skip

    def _text(self, raw: bytes | None) -> str:
        return self.redact(raw.decode(errors="replace")) if raw else ""


def _await(
    child: subprocess.Popen[bytes], stdin: bytes | None, timeout: float | None
) -> tuple[bytes | None, bytes | None]:
    """Both outputs of `child`, which has ended, however this call ends."""
    with child:
        try:
            return child.communicate(stdin, timeout)
        except KeyboardInterrupt as interrupt:
            if isinstance(interrupt, TerminatedError):
                child.terminate()
            _let_end(child)
            raise
        finally:
            child.kill()  # nothing, once it has ended


def _let_end(child: subprocess.Popen[bytes]) -> None:
    """Give `child`, which was told to stop, the time to put things right."""
    try:
        child.communicate(timeout=_GRACE_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        child.kill()


def heed_termination() -> None:
    """Make SIGTERM an interruption, after which what was begun is put right."""

    def interrupt(*_: object) -> NoReturn:
        raise TerminatedError

    signal.signal(signal.SIGTERM, interrupt)
