"""A debugger's side of the Debug Adapter Protocol, as VS Code speaks it."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.support.sockets import read_exactly

_DEBUGGER_TIMEOUT = 60


@dataclass
class Debugger:
    """One connection to debugpy."""

    connection: socket.socket
    number: int = 0
    seen: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    @contextmanager
    def attached(cls, port: int) -> Iterator["Debugger"]:
        """A debugger that has attached to the process behind `port` of this machine."""
        with socket.create_connection(("127.0.0.1", port), timeout=_DEBUGGER_TIMEOUT) as connection:
            debugger = cls(connection)
            started = debugger.ask("initialize", adapterID="debugpy", pathFormat="path")
            assert started["success"], started
            debugger.send("attach", justMyCode=False)  # answered after configurationDone
            debugger.event("initialized")
            yield debugger

    def send(self, command: str, **arguments: Any) -> int:
        """Send a request; returns its number."""
        self.number += 1
        request = {"seq": self.number, "type": "request", "command": command}
        body = json.dumps({**request, "arguments": arguments}).encode()
        self.connection.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        return self.number

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        number = self.send(command, **arguments)
        return self._first({"type": "response", "request_seq": number})

    def event(self, name: str) -> dict[str, Any]:
        """The first event of that name, waited for."""
        return self._first({"type": "event", "event": name})

    def _first(self, like: dict[str, Any]) -> dict[str, Any]:
        deadline = time.monotonic() + _DEBUGGER_TIMEOUT
        while time.monotonic() < deadline:
            for message in self.seen:
                if like.items() <= message.items():
                    return message
            self.seen.append(self._receive())
        raise AssertionError(f"no {like} among {self.seen}")

    def _receive(self) -> dict[str, Any]:
        header = b""
        while not header.endswith(b"\r\n\r\n"):
            header += read_exactly(self.connection, 1)
        length = int(header.partition(b":")[2])
        message: dict[str, Any] = json.loads(read_exactly(self.connection, length))
        return message
