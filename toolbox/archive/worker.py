"""A part of the archiver's work, in a thread of its own, again and again."""

import threading
import traceback
from collections.abc import Callable

from toolbox.core.errors import Failure
from toolbox.core.progress import log


class Worker:
    """Runs `work` every `seconds`; one that fails is tried again after `again` seconds.

    `problem` says why the last try failed, '' if it did not.
    """

    def __init__(
        self, title: str, work: Callable[[], None], seconds: float, again: float = 5.0
    ) -> None:
        self._title = title
        self._work = work
        self._seconds = seconds
        self._again = again
        self.problem = ""
        self.hint = ""
        self._thread = threading.Thread(target=self._run, daemon=True, name=title)
        self._woken = threading.Event()

    def start(self) -> None:
        """Begin, in a thread that ends with the program."""
        self._thread.start()

    def wake(self) -> None:
        """Have it work now."""
        self._woken.set()

    def _run(self) -> None:
        while True:
            self._woken.clear()
            self._woken.wait(self._seconds if self._try() else self._again)

    def _try(self) -> bool:
        try:
            self._work()
        except Failure as error:
            self._tell(error.message, error.hint)
        except Exception as error:  # the others go on
            traceback.print_exc()
            self._tell(f"{self._title}: {error}", "")
        else:
            self._tell("", "")
        return not self.problem

    def _tell(self, problem: str, hint: str) -> None:
        if problem != self.problem:
            said = f"error: {problem}" if problem else f"{self._title} works again"
            log(said)
        self.problem, self.hint = problem, hint
