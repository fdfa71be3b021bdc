"""nginx/gate as `inv` runs it, and the page that people get meanwhile."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.conftest import ROOT
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.production import Answer

CLOSE = ["docker", "compose", "exec", "-T", "nginx", "sh", "/etc/nginx/gate"]


def page() -> str:
    """The page in snippets/away.conf."""
    found = re.search(
        r"'(<!doctype html>.*)'", (ROOT / "nginx/snippets/away.conf").read_text(), re.S
    )
    assert found
    return found[1]


def assert_away(answer: Answer) -> None:
    """503 for people and programs: when to come again, nothing to keep, the page."""
    assert answer.status == 503
    assert answer.all("Retry-After") == ["5"]
    assert answer.all("Cache-Control") == ["no-store"]
    assert answer.all("Content-Type") == ["text/html; charset=utf-8"]
    assert answer.text == page()


@contextmanager
def closed(checkout: Checkout) -> Iterator[subprocess.Popen[str]]:
    """The client that keeps the gate closed while the block runs."""
    client = subprocess.Popen(
        CLOSE,
        cwd=checkout.root,
        env=checkout.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert client.stdout and client.stdout.readline() == "closed\n"
        yield client
    finally:
        client.communicate("open\n", timeout=30)  # at once, and not after some seconds
