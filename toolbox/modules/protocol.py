"""Talking with the host, which may die at any moment: events to it, answers from it."""

import queue
import signal
import sys
import threading
from typing import Any, NoReturn

from toolbox.contract.changes import Answer, Step
from toolbox.contract.codec import to_json
from toolbox.core.errors import Failure

_GONE = ""  # what is read after the host has closed its end
_GONE_MESSAGE = "the process that started this is gone"


def emit_event(step: Step, record: Any, **more: Any) -> None:
    """One line of JSON on standard output."""
    print(to_json(record, step=step, **more), flush=True)


def raise_on_sigterm() -> None:
    """Make SIGTERM a KeyboardInterrupt, after which what was begun is undone."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def ignore_signals() -> None:
    """While things are put back: a second Ctrl-C must not leave them half done."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


class Host:
    """Lines of standard input, and whether the host is still there to send them."""

    def __init__(self) -> None:
        self._lines: queue.Queue[str] = queue.Queue()
        self._gone = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in sys.stdin:
            self._lines.put(line.strip())
        self._gone.set()
        self._lines.put(_GONE)

    @property
    def gone(self) -> bool:
        """Whether the host has closed its end."""
        return self._gone.is_set()

    def require_present(self) -> None:
        """Raises Failure if the host is gone."""
        if self.gone:
            raise Failure(_GONE_MESSAGE)

    def read_line(self) -> str:
        """The next line; raises Failure if the host is gone."""
        line = self._lines.get()
        if line == _GONE:
            raise Failure(_GONE_MESSAGE)
        return line

    def expect(self, answer: Answer) -> None:
        """Wait for `answer`; raises Failure for anything else."""
        require_answer(self.read_line(), answer)


def require_answer(line: str, answer: Answer) -> None:
    """Raises Failure unless `line` is `answer`."""
    if line != answer:
        raise Failure(f"expected the answer {answer.value!r}, got {line!r}")
