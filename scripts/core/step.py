"""Long work, as a terminal shows it while it is done: how far it is, and how long it may take."""

import time
from dataclasses import dataclass, field
from typing import Final

_UNSURE_SECONDS: Final = 3  # before that, and before so many percent, nobody can tell
_UNSURE_PERCENT: Final = 2.0
_MINUTE: Final = 60


@dataclass
class Step:
    """Work that has begun."""

    title: str
    started: float = field(default_factory=time.monotonic)
    _doing: str = ""
    _percent: float | None = None
    _since: float = field(default_factory=time.monotonic)  # when what is done now began

    def tell(self, doing: str, percent: float | None) -> None:
        """What is done now, and how much of that is behind us."""
        if doing != self._doing:
            self._since = time.monotonic()
        self._doing, self._percent = doing, percent

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self.started

    @property
    def texts(self) -> list[str]:
        """What is done, the longest first."""
        return [f"{self.title}: {self._doing}", self.title] if self._doing else [self.title]

    @property
    def ends(self) -> list[str]:
        """What may stand behind the text, the longest first."""
        elapsed = f" ({self.seconds:.0f} s)"
        if self._percent is None:
            return [elapsed]
        percent = f" {self._percent:.0f} %"
        left = self._left()
        return [f"{percent}, {left}{elapsed}" if left else percent + elapsed, percent + elapsed]

    def _left(self) -> str:
        """How long it will take, where that can be told."""
        spent, done = time.monotonic() - self._since, self._percent or 0.0
        if spent < _UNSURE_SECONDS or done < _UNSURE_PERCENT:
            return ""
        return f"about {duration(spent * (100 - done) / done)} left"


def duration(seconds: float) -> str:
    """A time that is only roughly known."""
    if seconds < _MINUTE:
        return f"{max(5, round(seconds / 5) * 5)} s"
    minutes = round(seconds / _MINUTE)
    if minutes < _MINUTE:
        return f"{minutes} min"
    return f"{minutes // _MINUTE} h {minutes % _MINUTE} min"
