"""Waits for a condition, never for a fixed time."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from tests import durations

BUSY: Final = 3  # a machine that does other things as well takes up to so many times as long
_LONGEST_PAUSE: Final = 5  # seconds
_Value = TypeVar("_Value")


def eventually(
    condition: Callable[[], _Value],
    seconds: float,
    *,
    exactly: bool = False,
    interval: float = 0.25,
) -> _Value:
    """The first true value of `condition`, or its last value where it never becomes true.

    `seconds` is the most that it takes on a quiet machine; a busy one is given more, except
    where they are `exactly` what a serial test is about. Between two looks it sleeps as long as
    the one before has taken, and `interval` seconds at least: a command of `inv` keeps a core busy
    that others need.
    """
    began = time.monotonic()
    deadline = began + seconds * (1 if exactly else BUSY)
    value = condition()
    if not value:
        with durations.waiting("something that became true"):
            while not value and time.monotonic() < deadline:
                time.sleep(max(interval, min(time.monotonic() - began, _LONGEST_PAUSE)))
                began = time.monotonic()
                value = condition()
    return value
