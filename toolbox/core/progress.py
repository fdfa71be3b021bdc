"""What a program says while it works, on standard error."""

import sys

from toolbox.core.text import printable


def say(text: str) -> None:
    """Progress, for whoever watches."""
    print(f"… {printable(text)}", file=sys.stderr, flush=True)


def note(text: str) -> None:
    """Something worth knowing, which `inv` shows even where nobody watches."""
    print(f"note: {printable(text)}", file=sys.stderr, flush=True)
