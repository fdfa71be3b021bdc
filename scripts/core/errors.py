"""The one error that is meant for people."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_WARNING: Final = 4  # 3 is that of `inv renew-tls` for a certificate that is not due


class OpsError(Exception):
    """Something an operator can understand and act upon.

    `tasklib` shows it as `error: …` and `hint: …` and ends with `exit_code`;
    every other exception is a bug and keeps its traceback.
    """

    def __init__(self, message: str, hint: str = "", exit_code: int = EXIT_FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code
        self.reported = False  # what --json has printed already tells of it


# Of the machine or of a path that was given, not of the program.
_OUTSIDE: Final = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EIO,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOTDIR,
    }
)


def explained(error: OSError) -> OpsError | None:
    """`error` for people; None where it may be a bug, of which the traceback tells more."""
    if error.errno not in _OUTSIDE or not error.filename:
        return None
    hint = "Run this as the user who owns the project, or correct what is named here."
    return OpsError(f"{error.filename}: {error.strerror}", hint)


@contextmanager
def of_what_was_reported() -> Iterator[None]:
    """Errors of the block are about what was printed just now: --json prints no second object."""
    try:
        yield
    except OpsError as error:
        error.reported = True
        raise


class UsageError(OpsError):
    """A wrong flag or a wrong setting: nothing was attempted."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint, EXIT_USAGE)


class WarningError(OpsError):
    """All was done, and something about it is not as it should be.

    `tasklib` shows it as `warning: …`; the exit code is one of its own, so that a timer or a
    script can tell it from a failure.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint, EXIT_WARNING)
