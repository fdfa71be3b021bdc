"""The only place that starts processes."""

import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NoReturn, Protocol

from scripts.core.errors import OpsError
from scripts.core.interruption import TerminatedError, uninterrupted

_TAIL_LINES = 15
_GRACE_SECONDS = 60  # as long as Compose gives the containers of backups
_UNDO_SECONDS = 600  # what a process we speak with may take to put things right


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


class Talk(Protocol):
    """A process that is spoken with, a line at a time."""

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

    def talk(
        self, argv: Sequence[str], on_stderr: Callable[[str], None] = ...
    ) -> AbstractContextManager[Talk]:
        """Start `argv`, to be spoken with while the block lasts.

        When the block ends, or this process does in whatever way (kill -9 too), its
        standard input ends; a Ctrl-C at the terminal does not reach it. `on_stderr` is given
        each line of its standard error as it comes.
        """
        ...

    def replace(self, argv: Sequence[str]) -> NoReturn:
        """Become `argv`: for interactive programs, which then own the terminal."""
        ...

    def detach(self, argv: Sequence[str], log: Path) -> int:
        """Start a daemon in a session of its own; returns its process id."""
        ...


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
            with uninterrupted() as resume:
                child = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                    stdout=stdout or subprocess.PIPE,
                    stderr=subprocess.STDOUT if stdout else subprocess.PIPE,
                    env={**os.environ, **env} if env else None,
                )
                given = None if stdin is None else stdin.encode()
                out, err = _await(child, given, timeout, resume)
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

    @contextmanager
    def talk(
        self, argv: Sequence[str], on_stderr: Callable[[str], None] = lambda _: None
    ) -> Iterator[Talk]:
        """See Runner.talk."""
        if self._skip(argv, changes=True):
            raise OpsError("this cannot be shown without running it", "Leave out --dry.")
        try:
            child = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True, errors="replace", start_new_session=True,
            )  # fmt: skip
        except (FileNotFoundError, PermissionError) as error:
            raise OpsError(f"the program {argv[0]!r} is not installed") from error
        spoken = _SystemTalk(child, self.redact, on_stderr)
        try:
            yield spoken
        finally:
            spoken.end()

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
                argv, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
                start_new_session=True,
            )  # fmt: skip
        return child.pid

    def _skip(self, argv: Sequence[str], changes: bool) -> bool:
        skip = self.dry and changes
        if self.echo or skip:
            print(self.redact(f"$ {shlex.join(argv)}"), file=sys.stderr, flush=True)
        return skip

    def _text(self, raw: bytes | None) -> str:
        return self.redact(raw.decode(errors="replace")) if raw else ""


@dataclass
class _SystemTalk:
    """See Talk."""

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
        assert self.child.stdout
        return self.redact(self.child.stdout.readline().rstrip("\n"))

    def write_line(self, line: str) -> None:
        assert self.child.stdin
        with suppress(BrokenPipeError, ValueError):  # by its end, by ours
            self.child.stdin.write(line + "\n")
            self.child.stdin.flush()

    def leave(self) -> None:
        with suppress(BrokenPipeError):
            self.child.stdin.close()  # type: ignore[union-attr]

    def end(self) -> Completed:
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


def _await(
    child: subprocess.Popen[bytes],
    stdin: bytes | None,
    timeout: float | None,
    resume: Callable[[], None],
) -> tuple[bytes | None, bytes | None]:
    """Both outputs of `child`, which has ended, however this call ends."""
    with child:
        try:
            resume()
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
