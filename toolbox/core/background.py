"""Work in a second thread."""

import threading
from collections.abc import Callable
from typing import Any


class Background:
    """Work in parallel to the block; a failure is raised at its end, the result is in `answer`."""

    answer: Any

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Background":
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._thread.join()
        if self._error and not kind:  # the block's own failure came first and is the one to report
            raise self._error

    def _run(self) -> None:
        try:
            self.answer = self._work()
        except BaseException as error:
            self._error = error
