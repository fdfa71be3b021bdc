"""What a program says while it works, on standard error."""

import sys

from toolbox.contract.messages import NOTE, PROGRESS
from toolbox.core.text import printable


def say(text: str) -> None:
    """Progress, for whoever watches."""
    print(f"{PROGRESS}{printable(text)}", file=sys.stderr, flush=True)


def note(text: str) -> None:
    """Something worth knowing, which `inv` shows even where nobody watches."""
    print(f"{NOTE}{printable(text)}", file=sys.stderr, flush=True)
