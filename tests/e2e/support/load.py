"""Visitors who read and write while something happens to the platform, and what they were told."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

_TIMEOUT = 180
_PAUSE = 0.25  # below the limits of Nginx, for both together


@dataclass
class Load:
    """Of one user: pages that were read, and records that were written, each with a name."""

    url: str
    session: requests.Session
    read: int = 0
    written: list[str] = field(default_factory=list)  # names of what was said to be done
    failed: list[str] = field(default_factory=list)  # what was answered instead
    _over: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def log_in(cls, url: str, database: str, login: str, password: str) -> "Load":
        """By the door that pages use; the certificate is the platform's own."""
        session = requests.Session()
        session.verify, session.trust_env = False, False
        asked = {"db": database, "login": login, "password": password}
        done = session.post(
            f"{url}/web/session/authenticate",
            json={"jsonrpc": "2.0", "method": "call", "params": asked},
            timeout=_TIMEOUT,
        )
        assert done.json().get("result", {}).get("uid"), done.text[:500]
        return cls(url, session)

    def write(self, name: str) -> str:
        """Have a contact of that name made; returns what went wrong."""
        call = {"model": "res.partner", "method": "create", "args": [{"name": name}], "kwargs": {}}
        body = {"jsonrpc": "2.0", "method": "call", "params": call}
        done = self.session.post(
            f"{self.url}/web/dataset/call_kw", json=body, timeout=_TIMEOUT, allow_redirects=False
        )
        if done.status_code != 200 or "result" not in done.json():
            return f"{done.status_code} {done.text[:200]}"
        return ""

    def look(self) -> str:
        """Read the page that only a login opens; returns what went wrong."""
        done = self.session.get(f"{self.url}/odoo", timeout=_TIMEOUT, allow_redirects=False)
        return "" if done.status_code == 200 else f"{done.status_code} {done.text[:200]}"

    def _repeat(self, kind: str) -> None:
        number = 0
        while not self._over.is_set():
            number += 1
            name = f"load-{kind}-{number}"
            try:
                wrong = self.write(name) if kind == "write" else self.look()
            except (requests.RequestException, ValueError) as error:
                wrong = f"{type(error).__name__}: {error}"
            if wrong:
                self.failed.append(f"{time.strftime('%H:%M:%S')} {name}: {wrong}")
            elif kind == "write":
                self.written.append(name)
            else:
                self.read += 1
            self._over.wait(_PAUSE)

    @contextmanager
    def going_on(self) -> Iterator["Load"]:
        """Both, one after the other, while the block lasts."""
        threads = [threading.Thread(target=self._repeat, args=[kind]) for kind in ("read", "write")]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._over.set()
            for thread in threads:
                thread.join(_TIMEOUT)
