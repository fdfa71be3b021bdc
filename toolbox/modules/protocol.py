"""The conversation with whoever started a change, who may die at any moment."""

import json
import queue
import signal
import sys
import threading
from typing import Any, NoReturn

from toolbox.core.errors import Failure

GONE = ""  # what is heard when nobody speaks any more


def tell(step: str, **values: Any) -> None:
    """One line of JSON on standard output."""
    print(json.dumps({"step": step, **values}, sort_keys=True, default=str), flush=True)


def heed_signals() -> None:
    """Make SIGTERM an interruption, after which what was begun is undone."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def heed_no_signals() -> None:
    """While things are put back: a second Ctrl-C must not leave them half-way."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


class Dialogue:
    """Lines of standard input, and whether somebody is still there to send them."""

    def __init__(self) -> None:
        self._lines: queue.Queue[str] = queue.Queue()
        self._gone = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in sys.stdin:
            self._lines.put(line.strip())
        self._gone.set()
        self._lines.put(GONE)

    @property
    def over(self) -> bool:
        """Whether whoever started this is gone."""
        return self._gone.is_set()

    def hear(self) -> str:
        """The next line; raises Failure where nobody is there any more to send one."""
        heard = self._lines.get()
        if heard == GONE:
            raise Failure("whoever started this is gone")
        return heard

    def expect(self, word: str) -> None:
        """Wait for `word`; raises Failure for anything else."""
        self.require(self.hear(), word)

    def require(self, heard: str, word: str) -> None:
        """Raises Failure unless `heard` is `word`."""
        if heard != word:
            raise Failure(f"{word!r} was expected, and {heard!r} came")
