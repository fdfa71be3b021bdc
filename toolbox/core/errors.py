"""The one error that is meant for people."""

from collections.abc import Iterable

from toolbox.contract.messages import ERROR, HINT
from toolbox.core.text import printable

SHOWN = 3  # names in an error


class Failure(Exception):  # noqa: N818 - it is shown to people as a failure
    """An error that an operator can understand; `hint` says what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def shown(self) -> str:
        """The lines that end a program."""
        hint = f"{HINT}{printable(self.hint)}\n" if self.hint else ""
        return f"{hint}{ERROR}{printable(self.message)}"


def require_none(what: str, names: Iterable[str], hint: str = "") -> None:
    found = sorted(names)
    if found:
        shown = ", ".join(found[:SHOWN]) + (" …" if len(found) > SHOWN else "")
        raise Failure(f"{len(found)} {what}: {shown}", hint)
