"""SIGTERM and Ctrl-C: what they raise, and when they have to wait."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn


class TerminatedError(KeyboardInterrupt):
    """SIGTERM. Unlike Ctrl-C, which reaches everybody at the terminal, only we have heard it."""


def heed_termination() -> None:
    """Make SIGTERM and Ctrl-C interruptions, after which what was begun is put right.

    And a pipe that nobody reads an error, which is no end either.
    """

    def interrupt(*_: object) -> NoReturn:
        raise TerminatedError

    signal.signal(signal.SIGTERM, interrupt)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # as scripts/launch.py leaves it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


@contextmanager
def uninterrupted() -> Iterator[Callable[[], None]]:
    """Postpone Ctrl-C and SIGTERM until the function that is yielded is called.

    An exception in the midst of Popen would leave a child behind that nobody knows of.
    """
    handlers: dict[int, Any] = {}
    postponed: list[int] = []

    def resume() -> None:
        while handlers:
            signal.signal(*handlers.popitem())
        while postponed:
            signal.raise_signal(postponed.pop())

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            # One that is ignored stays so: the child would inherit the difference.
            if callable(handler := signal.getsignal(number)):
                handlers[number] = handler
                signal.signal(number, lambda received, _: postponed.append(received))
    try:
        yield resume
    finally:
        resume()
