"""Progress and notes on standard error."""

import sys

from toolbox.contract.messages import NOTE, PROGRESS
from toolbox.core.text import printable


def say(text: str) -> None:
    """Report progress."""
    print(f"{PROGRESS}{printable(text)}", file=sys.stderr, flush=True)


def note(text: str) -> None:
    """Report something important, which `inv` shows even without a terminal."""
    print(f"{NOTE}{printable(text)}", file=sys.stderr, flush=True)
