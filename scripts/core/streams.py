"""Output that goes somewhere odd: a closed pipe, a full disk, an encoding without our signs."""

import codecs
import io
import os
import sys
from pathlib import Path
from typing import Final, TextIO

from scripts.core.errors import OpsError

EXIT_BROKEN_PIPE: Final = 141  # as a shell shows an end by SIGPIPE
_ERRORS: Final = "ipai-plain"
_PLAIN: Final = {
    "✓": "+",
    "✗": "x",
    "…": "...",
    "–": "-",
    "→": "->",
    "×": "x",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
}


class OutputError(OpsError):
    """Standard output takes no more. Without a message where nobody reads it, as of a pipe."""

    def __init__(self, error: OSError) -> None:
        if isinstance(error, BrokenPipeError):
            super().__init__("", exit_code=EXIT_BROKEN_PIPE)
        else:
            super().__init__(f"cannot write to standard output: {error.strerror}")


class Output(io.TextIOWrapper):
    """Standard output, which says so by an OutputError, once, where it takes no more."""

    def write(self, text: str, /) -> int:
        """See TextIOWrapper.write."""
        try:
            return super().write(text)
        except OSError as error:
            raise self._lost(error) from error

    def flush(self) -> None:
        """See TextIOWrapper.flush."""
        try:
            super().flush()
        except OSError as error:
            raise self._lost(error) from error

    def _lost(self, error: OSError) -> OutputError:
        silence(self)
        return OutputError(error)


def _plain(error: UnicodeError) -> tuple[str, int]:
    """What stands for the signs that an encoding has not."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(
        _PLAIN.get(sign, "?") for sign in error.object[error.start : error.end]
    ), error.end


def prepare() -> None:
    """Make the standard streams take whatever is written to them, also where one is closed."""
    codecs.register_error(_ERRORS, _plain)
    # In this order: each takes the lowest descriptor that is free, which is its own.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))
    if isinstance(sys.stdout, io.TextIOWrapper):
        encoding, by_line = sys.stdout.encoding, sys.stdout.line_buffering
        sys.stdout = Output(sys.stdout.detach(), encoding, _ERRORS, line_buffering=by_line)
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors=_ERRORS)
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")


def silence(stream: TextIO) -> None:
    """Have `stream`, which has failed, take everything: the end of the process writes again."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except io.UnsupportedOperation:  # it has no descriptor, as in tests
        return
