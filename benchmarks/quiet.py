"""Whether the figures of a benchmark count: with something else running, ratios mislead.

A busy machine has flattered the ratios of backups threefold: what waits for a disk or a network
loses less there than what needs the processors.
"""

import os
from typing import Final

LIMIT: Final = 1.0  # load average of the last minute


def load() -> float:
    """The load average of the last minute."""
    return os.getloadavg()[0]


def begin() -> float:
    """Say how busy the machine is before anything is measured; returns that for `verdict`."""
    found = load()
    print(f"load average at the start: {found:.2f}")
    return found


def verdict(at_start: float) -> str:
    """What the figures are worth, as the last line of a run."""
    if at_start <= LIMIT:
        return f"valid: the load average was {at_start:.2f} at the start"
    return f"NOT VALID: the load average was {at_start:.2f} at the start, above {LIMIT}"
