"""A reporter for commands that cron and timers start."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from scripts.core.console import Console


@dataclass(frozen=True)
class QuietReporter:
    """Progress for a terminal, and nothing but warnings for cron, whose mail nobody reads."""

    console: Console

    @property
    def live(self) -> bool:
        """See Reporter.live."""
        return self.console.live

    def progress(self, doing: str, percent: float | None = None) -> None:
        """See Reporter.progress."""
        self.console.progress(doing, percent)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """See Reporter.step."""
        if not self.console.live:
            yield
            return
        with self.console.step(title):
            yield

    def note(self, text: str) -> None:
        """See Reporter.note."""
        self.console.note(text)

    def confirm(self, question: str, *, unattended: bool) -> bool:
        """See Reporter.confirm."""
        return self.console.confirm(question, unattended=unattended)
