"""The one error that is meant for people."""

from typing import Final

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2


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


class UsageError(OpsError):
    """A wrong flag or a wrong setting: nothing was attempted."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint, EXIT_USAGE)
