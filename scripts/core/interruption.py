"""SIGTERM, SIGHUP and Ctrl-C: what they raise, and when they have to wait."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn

SIGNAL_SECONDS: Final = 1.0  # within which a signal is noticed, however it comes


class TerminatedError(KeyboardInterrupt):
    """SIGTERM, or the terminal was closed. What we have started may not have heard of it.

    Unlike Ctrl-C, which reaches everybody at the terminal.
    """


def raise_on_sigterm() -> None:
    """Make SIGTERM, SIGHUP and Ctrl-C interruptions, after which what was begun is put right.

    Not SIGHUP where it is ignored, as by nohup. And make a pipe that nobody reads an error,
    which is no end either.
    """

    def interrupt(*_: object) -> NoReturn:
        raise TerminatedError

    def hang_up(*_: object) -> NoReturn:
        # It often comes twice, of the kernel and of the shell; and whatever is started to put
        # things right has to outlive the next one.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        raise TerminatedError

    signal.signal(signal.SIGTERM, interrupt)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, hang_up)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # as scripts/launch.py leaves it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


@contextmanager
def uninterrupted() -> Iterator[Callable[[], None]]:
    """Postpone Ctrl-C, SIGTERM and SIGHUP until the function that is yielded is called.

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
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # One that is ignored stays so: the child would inherit the difference.
            if callable(handler := signal.getsignal(number)):
                handlers[number] = handler
                signal.signal(number, lambda received, _: postponed.append(received))
    try:
        yield resume
    finally:
        resume()
