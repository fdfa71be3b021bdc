"""Visitors who read and write while something happens to the platform, and what they were told."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.e2e.support.production import Answer, Production

_PAUSE = 0.3  # seconds: both together stay below the limits of Nginx
_LONGEST = 180.0


@dataclass
class Load:
    """Of one user who is logged in: a page is read, and contacts are made, each with a name.

    Each request has a connection of its own: Nginx closes idle ones when it is reloaded, which
    browsers do not mind, and a test would have to tell from a failure.
    """

    platform: Production
    cookie: str
    read: int = 0
    written: list[str] = field(default_factory=list)  # of what Odoo said that it is done
    failed: list[str] = field(default_factory=list)  # what was answered instead
    _over: threading.Event = field(default_factory=threading.Event)

    def look(self, number: int) -> str:
        """Read the page that only a login opens; returns what went wrong."""
        answer = self.platform.once("/odoo", headers={"Cookie": self.cookie})
        if answer.status != 200:
            return _said(answer)
        self.read += 1
        return ""

    def write(self, number: int) -> str:
        """Have a contact made; returns what went wrong."""
        name = f"load-{number}"
        call = {"model": "res.partner", "method": "create", "args": [{"name": name}], "kwargs": {}}
        body = json.dumps({"jsonrpc": "2.0", "method": "call", "params": call}).encode()
        headers = {"Content-Type": "application/json", "Cookie": self.cookie}
        path = "/web/dataset/call_kw"
        answer = self.platform.once(path, method="POST", headers=headers, body=body)
        if answer.status != 200 or "result" not in answer.json:
            return _said(answer)
        self.written.append(name)
        return ""

    def _repeat(self, ask: Callable[[int], str]) -> None:
        number = 0
        while not self._over.is_set():
            number += 1
            try:
                wrong = ask(number)
            except (OSError, ValueError) as error:
                wrong = f"{type(error).__name__}: {error}"
            if wrong:
                self.failed.append(f"{time.strftime('%H:%M:%S')} {number}: {wrong}")
            self._over.wait(_PAUSE)

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Both, at the same time, while the block lasts."""
        threads = [
            threading.Thread(target=self._repeat, args=[ask]) for ask in (self.look, self.write)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join(_LONGEST)

    def assert_as_told(self) -> None:
        """What was said to be done is there once, and nothing else."""
        rows = self.platform.sql("SELECT name FROM res_partner WHERE name LIKE 'load-%'")
        assert sorted(rows.splitlines()) == sorted(self.written)
        self.platform.sql("DELETE FROM res_partner WHERE name LIKE 'load-%'")


def _said(answer: Answer) -> str:
    return f"{answer.status} {answer.text[:300]}"
