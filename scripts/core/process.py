"""The only place that starts processes."""

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, NoReturn, Protocol, TypedDict, Unpack

from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.core.interactive import InteractiveProcess, SystemProcess
from scripts.core.interruption import SIGNAL_SECONDS, TerminatedError, uninterrupted
from scripts.core.line_reader import LineReader

_TAIL_LINES: Final = 15
_GRACE_SECONDS: Final = 60  # as long as Compose gives the containers of backups


class CommandFailedError(OpsError):
    """A process ended with a non-zero exit code."""

    def __init__(self, completed: Completed, hint: str = "") -> None:
        output = (completed.stderr.strip() or completed.stdout.strip()).splitlines()
        shown = "".join(f"\n  {line}" for line in output[-_TAIL_LINES:])
        command = shlex.join(completed.argv[:6]) + (" …" if len(completed.argv) > 6 else "")
        super().__init__(f"`{command}` failed with exit code {completed.code}{shown}", hint)
        self.completed = completed


class RunOptions(TypedDict, total=False):
    """How a program is run; each may be left out."""

    stdin: str | None  # what it reads; nothing by default
    stdout: IO[bytes] | None  # receives both streams as they come, instead of the result
    timeout: float | None  # seconds, after which it is killed; no limit by default
    env: Mapping[str, str] | None  # added to this process's own
    check: bool  # an exit code other than 0 is an error; the default
    changes: bool  # a dry run must not run it; not by default
    # Is given each line of standard error as it comes, in another thread; with `stdout` each
    # line of both.
    on_line: Callable[[str], None] | None


class Runner(Protocol):
    """Runs argument lists, never shell strings."""

    @property
    def dry(self) -> bool:
        """Whether commands that change something are shown and not run."""
        ...

    def run(self, argv: Sequence[str], **options: Unpack[RunOptions]) -> Completed:
        """Run `argv` to its end.

        Raises CommandFailedError if `check` and the exit code is not 0, and OpsError if the
        program is missing or `timeout` seconds have passed.
        """
        ...

    def interact(
        self, argv: Sequence[str], on_stderr: Callable[[str], None] = ...
    ) -> AbstractContextManager[InteractiveProcess]:
        """Start `argv`, with which lines are exchanged while the block lasts.

        When the block ends, or this process does in whatever way (kill -9 too), its
        standard input ends; a Ctrl-C at the terminal does not reach it. `on_stderr` is given
        each line of its standard error as it comes.
        """
        ...

    def replace_process(self, argv: Sequence[str]) -> NoReturn:
        """Run `argv` in the place of this process: for programs that own the terminal."""
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

    def run(self, argv: Sequence[str], **options: Unpack[RunOptions]) -> Completed:
        """See Runner.run."""
        if self._skip(argv, options.get("changes", False)):
            return Completed(tuple(argv), 0)
        stdin, stdout = options.get("stdin"), options.get("stdout")
        env, timeout = options.get("env"), options.get("timeout")
        reader = self._reader(options.get("on_line"), stdout)
        errors = reader.writing if reader else subprocess.PIPE
        try:
            with uninterrupted() as resume:
                child = _start(
                    argv,
                    reader,
                    stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                    stdout=(reader.writing if reader else stdout) if stdout else subprocess.PIPE,
                    stderr=subprocess.STDOUT if stdout else errors,
                    env={**os.environ, **env} if env else None,
                )
                given = None if stdin is None else stdin.encode()
                out, err = _await(child, given, timeout, resume)
        except (FileNotFoundError, PermissionError) as error:
            raise _not_installed(argv[0]) from error
        except subprocess.TimeoutExpired as error:
            raise OpsError(
                self.redact(f"`{shlex.join(argv[:6])}`") + f" gave no answer within {timeout:.0f} s"
            ) from error
        completed = Completed(
            tuple(map(self.redact, argv)),
            child.returncode,
            self._text(out),
            self._text(reader.text() if reader else err),
        )
        if options.get("check", True) and not completed.ok:
            raise CommandFailedError(completed)
        return completed

    @contextmanager
    def interact(
        self, argv: Sequence[str], on_stderr: Callable[[str], None] = lambda _: None
    ) -> Iterator[InteractiveProcess]:
        """See Runner.interact."""
        if self._skip(argv, changes=True):
            raise OpsError("this cannot be shown without running it", "Leave out --dry.")
        try:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except (FileNotFoundError, PermissionError) as error:
            raise _not_installed(argv[0]) from error
        process = SystemProcess(child, self.redact, on_stderr)
        try:
            yield process
        finally:
            process.end()

    def replace_process(self, argv: Sequence[str]) -> NoReturn:
        """See Runner.replace_process."""
        if self._skip(argv, changes=True):
            raise SystemExit(0)
        sys.stdout.flush()
        sys.stderr.flush()
        # Ours is ignored: the program would take `| head` for an error to be told.
        ours = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        try:
            os.execvp(argv[0], list(argv))
        except FileNotFoundError as error:
            signal.signal(signal.SIGPIPE, ours)
            raise _not_installed(argv[0]) from error

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

    def _reader(
        self, on_line: Callable[[str], None] | None, copy: IO[bytes] | None
    ) -> LineReader | None:
        return LineReader(lambda line: on_line(self.redact(line)), copy) if on_line else None

    def _skip(self, argv: Sequence[str], changes: bool) -> bool:
        skip = self.dry and changes
        if self.echo or skip:
            print(self.redact(f"$ {shlex.join(argv)}"), file=sys.stderr, flush=True)
        return skip

    def _text(self, raw: bytes | None) -> str:
        return self.redact(raw.decode(errors="replace")) if raw else ""


def _not_installed(program: str) -> OpsError:
    return OpsError(
        f"the program {program!r} is not installed", "Install it, or add its folder to PATH."
    )


def _start(
    argv: Sequence[str], reader: LineReader | None, **streams: Any
) -> subprocess.Popen[bytes]:
    """Start `argv`, whose lines `reader` reads, if there is one."""
    try:
        # No signal of the terminal reaches it: what is to end is decided here, and told to all
        # of its processes. `docker` does not pass SIGTERM on to Compose.
        child = subprocess.Popen(argv, start_new_session=True, **streams)
    except BaseException:
        if reader:
            reader.abandon()
        raise
    if reader:
        reader.start()
    return child


def _await(
    child: subprocess.Popen[bytes],
    stdin: bytes | None,
    timeout: float | None,
    resume: Callable[[], None],
) -> tuple[bytes | None, bytes | None]:
    """Both outputs of `child`, which has ended with all its processes, however this call ends."""
    with child:
        try:
            resume()
            return _communicate(child, stdin, timeout)
        except KeyboardInterrupt as interrupt:
            terminated = isinstance(interrupt, TerminatedError)
            _signal(child, signal.SIGTERM if terminated else signal.SIGINT)
            _let_end(child)
            raise
        except BaseException:
            _signal(child, signal.SIGKILL)
            raise


def _communicate(
    child: subprocess.Popen[bytes], stdin: bytes | None, timeout: float | None
) -> tuple[bytes | None, bytes | None]:
    """Both outputs of `child`; raises TimeoutExpired after `timeout` seconds.

    Python runs the handler of a signal between two of its instructions: one that comes just
    before a read that blocks would be noticed at the end of that, so none blocks for long.
    """
    if stdin is not None:
        _feed(child, stdin)
    ends = None if timeout is None else time.monotonic() + timeout
    while True:
        left = SIGNAL_SECONDS if ends is None else max(0.0, ends - time.monotonic())
        try:
            return child.communicate(timeout=min(left, SIGNAL_SECONDS))
        except subprocess.TimeoutExpired:
            if ends is not None and time.monotonic() >= ends:
                raise


def _feed(child: subprocess.Popen[bytes], stdin: bytes) -> None:
    """Have `child` read `stdin`: Popen.communicate gives up on it at its first timeout."""
    stream, child.stdin = child.stdin, None
    assert stream

    def write() -> None:
        with suppress(BrokenPipeError), stream:  # it need not read all of it
            stream.write(stdin)

    threading.Thread(target=write, daemon=True).start()


def _let_end(child: subprocess.Popen[bytes]) -> None:
    """Give `child`, which was told to stop, the time to put things right."""
    try:
        child.communicate(timeout=_GRACE_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        _signal(child, signal.SIGKILL)


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)
