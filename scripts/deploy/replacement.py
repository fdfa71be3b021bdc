"""Containers of Odoo are replaced one after the other: the next serves, then the former stops."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.report import Reporter
from scripts.deploy import upstreams
from scripts.stack.compose import Stack
from scripts.stack.diagnosis import LOG_LINES, telling
from scripts.stack.login_page import CURL_SAW_ERROR
from scripts.stack.start_watch import USABLE_SECONDS

_HTTP: Final = "odoo"
_CRON: Final = "odoo_cron"
_WEBSOCKET: Final = "odoo_websocket"
_INIT: Final = "odoo_init"
_PORTS: Final = {_HTTP: 8069, _CRON: 8069, _WEBSOCKET: 8072}
_PAGES: Final = {_HTTP: "/web/login", _CRON: "/web/login", _WEBSOCKET: "/web/health"}
_START_SECONDS: Final = 600.0
_INIT_SECONDS: Final = 300.0
_STOP_SECONDS: Final = 180.0  # more than each stop_grace_period of Odoo's
_POLL_SECONDS: Final = 0.5
_IN_A_ROW: Final = 3  # looks at which nothing is under way
_ESTABLISHED: Final = "01"
_LOOPBACK: Final = re.compile(r"^0100007F:")


@dataclass
class Replacement:
    """Of all containers of Odoo by new ones, as the compose files and `.env` want them now."""

    stack: Stack
    reporter: Reporter
    drain: float  # seconds that requests under way have, before their container is stopped
    serving: dict[str, list[str]] = field(default_factory=dict)  # names of containers, by service
    begun: bool = False  # one that served was taken away

    def run(self) -> None:
        """Replace all of them.

        Raises OpsError where a new one does not work: it is removed, and what serves goes on.
        """
        services = [s for s in (_WEBSOCKET, _HTTP) if s in self.stack.settings.odoo_services]
        self.serving = {service: self._running(service) for service in services}
        if not all(self.serving.values()):
            raise OpsError("not all of Odoo's services run", "Start them: inv up")
        wanted, count = max(1, self.stack.settings.replicas), len(self.serving[_HTTP])
        if count != wanted:
            said = f"{count} containers of {_HTTP} run, and {wanted} should"
            raise OpsError(said, "First run: inv up")
        self._remove_others(services)  # Compose would start one that is stopped as it is
        try:
            self._send()  # what is being started is not asked yet
            self._initialise()
            for service in services:
                for old in list(self.serving[service]):
                    self._replace(service, old)
            if _CRON in self.stack.settings.odoo_services:
                self._replace_cron()
        finally:
            self._remove_others(services)
            upstreams.send_to_all(self.stack)

    def _remove_others(self, services: Sequence[str]) -> None:
        """Those that do not serve: stopped ones, and new ones that were not ready."""
        serving = {name for names in self.serving.values() for name in names}
        for found in self.stack.services():
            if found.service in services and not found.oneoff and found.name not in serving:
                self._remove(found.name)

    def _running(self, service: str) -> list[str]:
        found = [s for s in self.stack.services() if s.service == service and not s.oneoff]
        return [s.name for s in found if s.state == "running"]

    def _send(self) -> None:
        requests = self.serving[_HTTP]
        upstreams.send_to(self.stack, requests, self.serving.get(_WEBSOCKET, requests))

    def _initialise(self) -> None:
        """Have the new image see the database, as it does before each start."""
        self._up(_INIT)
        names = [s.name for s in self.stack.services() if s.service == _INIT and not s.oneoff]
        argv = ["docker", "wait", names[0]]
        done = self.stack.runner.run(argv, timeout=_INIT_SECONDS, check=False)
        if done.stdout.split() != ["0"]:
            raise _broken(self.stack, names[0], "odoo_init has failed")

    def _replace(self, service: str, old: str) -> None:
        with self.reporter.step(f"Replacing {old}"):
            count = len(self.serving[service])
            self._up("--no-recreate", "--scale", f"{service}={count + 1}", service)
            new = self._made(service)
            self._await_page(service, new)
            place = self.serving[service].index(old)
            self.serving[service][place] = new
            self.begun = True
            self._send()
            self._drain(service, old)
            self._remove(old)

    def _made(self, service: str) -> str:
        found = [s for s in self.stack.services() if s.service == service and not s.oneoff]
        names = [s.name for s in found if s.name not in self.serving[service]]
        if len(names) != 1:
            raise OpsError(f"Compose has made {len(names)} containers of {service}", "inv ps")
        return names[0]

    def _replace_cron(self) -> None:
        """The other way round, as scheduled actions are run by one container only."""
        with self.reporter.step(f"Replacing {_CRON}"):
            self.begun = True
            self._up("--force-recreate", _CRON, seconds=_STOP_SECONDS + _START_SECONDS)
            if not (names := self._running(_CRON)):
                raise OpsError(f"{_CRON} does not start", f"inv logs --service {_CRON}")
            for name in names:
                self._await_page(_CRON, name)

    def _up(self, *words: str, seconds: float = _START_SECONDS) -> None:
        fixed = ["up", "--detach", "--no-deps", "--no-build"]
        done = self.stack.run(*fixed, *words, timeout=seconds, check=False, changes=True)
        if not done.ok:
            raise OpsError(f"Compose does not start it: {done.last_line}", "inv ps")

    def _await_page(self, service: str, container: str) -> None:
        """Wait until it answers; raises OpsError with the end of its log if it does not."""
        url = f"http://127.0.0.1:{_PORTS[service]}{_PAGES[service]}"
        ask = ["curl", "-fsS", "-m", "60", "-o", "/dev/null", url]
        deadline = time.monotonic() + _START_SECONDS
        while True:
            found = [s for s in self.stack.services() if s.name == container]
            if not found or found[0].state != "running" or found[0].restarts:
                raise _broken(self.stack, container, f"{container} does not start")
            argv = self.stack.exec_argv(container, *ask)
            done = self.stack.runner.run(argv, timeout=90, check=False)
            if done.ok:
                return
            if done.code == CURL_SAW_ERROR:  # it is there, and this is what it has to say
                deadline = min(deadline, time.monotonic() + USABLE_SECONDS)
            if time.monotonic() > deadline:
                raise _broken(self.stack, container, f"{container} serves no page")
            time.sleep(_POLL_SECONDS)

    def _drain(self, service: str, container: str) -> None:
        """Let the requests that it has been sent come to their end, for `drain` seconds at most."""
        if service == _WEBSOCKET:  # they last for ever, and are opened again
            return
        deadline, quiet = time.monotonic() + self.drain, 0
        while quiet < _IN_A_ROW:
            left = self._under_way(container, _PORTS[service])
            quiet = 0 if left else quiet + 1
            if time.monotonic() > deadline:
                self.reporter.note(
                    f"{left} requests of {container} are not done after {self.drain:.0f} s:"
                    " Odoo has 30 s more to end them"
                )
                return
            time.sleep(_POLL_SECONDS)

    def _under_way(self, container: str, port: int) -> int:
        """How many requests it has; 1 where that cannot be known, as long as it runs."""
        argv = self.stack.exec_argv(container, "cat", "/proc/net/tcp")
        done = self.stack.runner.run(argv, timeout=30, check=False)
        if done.ok:
            return under_way(done.stdout, port)
        return int(any(s.name == container and s.state == "running" for s in self.stack.services()))

    def _remove(self, container: str) -> None:
        run = self.stack.runner.run
        run(["docker", "stop", container], timeout=_STOP_SECONDS, check=False, changes=True)
        run(["docker", "rm", "--force", container], timeout=60, check=False, changes=True)


def under_way(table: str, port: int) -> int:
    """How many connections from elsewhere to `port` there are, by /proc/net/tcp (proc(5))."""
    rows = (line.split() for line in table.splitlines()[1:])
    return sum(
        words[3] == _ESTABLISHED
        and words[1].endswith(f":{port:04X}")
        and not _LOOPBACK.match(words[2])  # its own health check
        for words in rows
        if len(words) > 3
    )


def _broken(stack: Stack, container: str, said: str) -> OpsError:
    argv = ["docker", "logs", "--tail", "200", container]
    done = stack.runner.run(argv, timeout=60, check=False)
    lines: Sequence[str] = telling((done.stdout + done.stderr).splitlines())[:LOG_LINES]
    shown = "".join(f"\n  {line}" for line in lines)
    return OpsError(f"{said}; its last log lines:{shown}", "The previous version is still serving.")
