"""While modules change, Nginx answers for Odoo: back in a moment."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.interactive import InteractiveProcess
from scripts.core.report import Reporter
from scripts.stack.compose import Stack

_PROGRAM: Final = ("sh", "/etc/nginx/gate")
_CLOSED: Final = "closed"  # what it says
_OPEN: Final = "open"  # what it is told
_BY_ANOTHER: Final = "closed already"  # why it refuses, though nobody passes
_PAUSE: Final = 0.2  # seconds between two tries to close it again
_PATIENCE: Final = 4.0  # seconds in which one of them has to succeed; nginx/gate waits for 5
_LEAST: Final = 0.5  # seconds that each of them has
_END: Final = 60.0  # seconds for the end of the one that holds it


@contextmanager
def enabled(stack: Stack, reporter: Reporter, give_up: Callable[[], None]) -> Iterator[None]:
    """Nobody reaches Odoo by way of Nginx while the block lasts.

    Visitors get status 503 with Retry-After. The gate is held by a process in Nginx's
    container that ends with our end of its standard input, so that it opens by itself
    however this process ends. If that one ends too soon (the client of Docker was killed,
    Nginx was restarted), another takes its place; it stays closed for that long by itself.
    Where none can, `give_up` is called, and the block has to fail soon: that becomes an
    OpsError with the reason. Where Nginx does not run there is nobody to be kept out.
    """
    if not (found := _running(stack)):
        yield
        return
    holder = _Holder(stack, reporter, found[0], give_up)
    try:
        holder.close()
        yield
    except OpsError as error:
        if holder.lost:
            raise OpsError(f"visitors cannot be kept out: {holder.lost}", error.hint) from error
        raise
    finally:
        holder.open()


def _running(stack: Stack) -> list[str]:
    return [s.name for s in stack.services() if s.service == "nginx" and s.state == "running"]


class _Holder:
    """Keeps it closed, from a thread of its own."""

    def __init__(
        self, stack: Stack, reporter: Reporter, container: str, give_up: Callable[[], None]
    ) -> None:
        self.lost = ""  # why nobody can be kept out any more
        self._stack, self._reporter, self._give_up = stack, reporter, give_up
        self._argv = stack.exec_argv(container, *_PROGRAM)
        self._begun = threading.Event()
        self._over = threading.Event()
        self._lock = threading.Lock()  # of the next two together
        self._process: InteractiveProcess | None = None
        self._refusal = ""
        self._late: threading.Timer | None = None  # for the answer of one that closes it again
        self._thread = threading.Thread(target=self._hold, daemon=True)

    def close(self) -> None:
        """Returns once it is closed; raises OpsError if it cannot be."""
        self._thread.start()
        self._begun.wait()
        if refusal := self._refusal or self.lost:
            raise OpsError(
                f"Nginx does not close its gate: {refusal}",
                "Another change may be on its way; see also: inv logs --service nginx",
            )

    def open(self) -> None:
        """Returns once it is open, or lost."""
        with self._lock:
            self._over.set()
            if self._process:
                self._process.write_line(_OPEN)
        if self._thread.is_alive() and not self.lost:
            self._thread.join(_END)

    def _hold(self) -> None:
        try:
            reason = self._keep_closed()
            if self._begun.is_set():
                self._close_again()
            else:
                self._refusal = reason
        except BaseException as error:  # or the change would go on with visitors in
            reason = f"{type(error).__name__}: {error}"
            if self._begun.is_set():
                self._lose(reason)
            else:
                self._refusal = reason
            raise
        finally:
            self._begun.set()

    def _close_again(self) -> None:
        """Once it has been lost, and each time that it is; returns when this is over."""
        since = time.monotonic()
        while not self._over.wait(_PAUSE) and not self.lost:
            began = time.monotonic()
            left = max(since + _PATIENCE - began, _LEAST)
            self._late = threading.Timer(left, self._lose_unanswered)
            self._late.daemon = True
            self._late.start()
            reason = self._keep_closed()
            self._late.cancel()
            if not reason or _BY_ANOTHER in reason or not self._is_needed():
                since = time.monotonic()
            elif began - since > _PATIENCE:
                self._lose(reason)

    def _lose_unanswered(self) -> None:
        if self._is_needed():
            self._lose("the engine does not answer")

    def _lose(self, reason: str) -> None:
        if not self._over.is_set():
            self.lost = reason
            self._give_up()

    def _keep_closed(self) -> str:
        """Hold it until this is over, or the process has ended; why it could not begin."""
        try:
            with self._stack.runner.interact(self._argv) as process:
                if process.read_line() != _CLOSED:
                    return process.end().last_line or "it has ended without a word"
                if self._late:
                    self._late.cancel()
                    self._reporter.note("note: the gate of Nginx was lost, and is closed again")
                with self._lock:
                    self._process = process
                    if self._over.is_set():
                        process.write_line(_OPEN)
                self._begun.set()
                while process.read_line():
                    pass
                with self._lock:
                    self._process = None
        except OpsError as error:
            return error.message
        return ""

    def _is_needed(self) -> bool:
        """Whether anybody could pass: Nginx runs."""
        try:
            return bool(_running(self._stack))
        except OpsError:
            return True
