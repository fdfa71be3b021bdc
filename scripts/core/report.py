"""What a feature may tell the person while it works."""

from contextlib import AbstractContextManager
from typing import Protocol


class Reporter(Protocol):
    """Progress and questions; `core.console` is the one that prints them."""

    @property
    def live(self) -> bool:
        """Whether somebody watches how far a step is."""
        ...

    def step(self, title: str) -> AbstractContextManager[None]:
        """Announce long work; its end and duration are shown too."""
        ...

    def progress(self, doing: str, percent: float | None = None) -> None:
        """What the step that runs is doing, and how much of that is done, where it is known."""
        ...

    def note(self, text: str) -> None:
        """Say something worth knowing."""
        ...

    def confirm(self, question: str, *, unattended: bool) -> bool:
        """The person's answer; `unattended` where there is nobody to ask."""
        ...
