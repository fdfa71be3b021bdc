"""Type keys at the prompt of a shell on a terminal: typed.py KEYS UNTIL SHELL [OPTIONS]

Prints what the terminal has received after the prompt, but for colours and the like, once UNTIL (a
regular expression) is found in it.
Edit by hand freely; tests/e2e/host/test_completion.py runs it in a container.
"""

import os
import pty
import re
import select
import sys
import time

PROMPT = b"READY> "
SECONDS = 15
ATTRIBUTES = b"\x1b[c"  # "what are you?": fish waits for an answer
COLUMNS, LINES = 200, 50
ESCAPED = re.compile(rb"\x1b(\[[0-9;?<=>]*[A-Za-z@]|\([A-Z0-9]|[=>])")


class Terminal:
    """A terminal and its shell."""

    def __init__(self, argv: list[str]) -> None:
        process, self.side = pty.fork()
        if not process:
            os.environ.update(TERM="xterm", COLUMNS=str(COLUMNS), LINES=str(LINES))
            os.execvp(argv[0], argv)
        self.received = b""

    def type(self, keys: bytes) -> None:
        os.write(self.side, keys)

    def shown(self, start: int = 0) -> bytes:
        return ESCAPED.sub(b"", self.received[start:])

    def wait(self, until: bytes, start: int = 0) -> None:
        """Read until the regular expression is in what came after `start`; ends with an error."""
        deadline = time.monotonic() + SECONDS
        while not re.search(until, self.shown(start)):
            if not select.select([self.side], [], [], max(0, deadline - time.monotonic()))[0]:
                sys.exit(f"{until!r} is not in {self.received[start:]!r}")
            read = os.read(self.side, 4096)
            self.received += read
            if ATTRIBUTES in read or b"\x1b[0c" in read:
                self.type(b"\x1b[?62;c")


def main() -> None:
    keys, until, *argv = sys.argv[1:]
    terminal = Terminal(argv)
    terminal.wait(re.escape(PROMPT))
    start = len(terminal.received)
    terminal.type(keys.encode())
    terminal.wait(until.encode(), start)
    sys.stdout.buffer.write(terminal.shown(start))


main()
