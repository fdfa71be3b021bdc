"""A platform whose services are changed for a while by one more Compose file."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.support.checkout import Checkout


@contextmanager
def overlay(platform: Checkout, content: str, *start: str) -> Iterator[None]:
    """While the block runs, `compose up` with `content` has started what `start` names."""
    file = platform.root / "overlay.yaml"
    file.write_text(content)
    up = ["up", "-d", "--no-build", "--wait", "--no-deps", *start]
    try:
        done = platform.compose("-f", "compose.yaml", "-f", str(file), *up)
        assert done.returncode == 0, done.stderr
        yield
    finally:
        file.unlink()
        assert platform.inv("up").returncode == 0
