"""What a feature may tell the person while it works."""

from contextlib import AbstractContextManager
from typing import Protocol


class Reporter(Protocol):
    """Progress and questions; `core.console` is the one that prints them."""

    def step(self, title: str) -> AbstractContextManager[None]:
        """Announce long work; its end and duration are shown too."""
        ...

    def note(self, text: str) -> None:
        """Say something worth knowing."""
        ...

    def confirm(self, question: str, *, unattended: bool) -> bool:
        """The person's answer; `unattended` where there is nobody to ask."""
        ...
