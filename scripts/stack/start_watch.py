"""What becomes of containers that were started."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from scripts.stack.compose import Service, Stack

USABLE_SECONDS: Final = 60  # all containers are healthy, and there is no page yet
_MOST_RESTARTS: Final = 5  # of a container, after which it will not do better the next time
_LOOK_SECONDS: Final = 2.0
_SETTLED_SECONDS: Final = 1.0  # what ends at once has ended by then
# What Docker takes, beside the interval, to see that one has become healthy again: the longest
# timeout of a health check in compose.yaml, and the start of its program on a busy machine.
HEALTH_TIMEOUT: Final = 10
_HEALTH_DELAY: Final = 5


def was_stopped(found: Sequence[Service], before: Mapping[str, int]) -> bool:
    """Whether a container that ran has ended for good, but the one that has nothing left to do."""
    return any(s.stopped and s.name in before and s.service != "odoo_init" for s in found)


@dataclass
class Watch:
    """What becomes of containers that were started; asks the engine every few seconds."""

    stack: Stack
    services: Sequence[str]
    looked: float = 0.0
    began: float = 0.0
    ill: frozenset[str] = frozenset()  # services that were unhealthy at the first look
    broken: bool = False
    hopeless: bool = False
    healthy_since: float = 0.0  # 0: not all of them are healthy
    restarts: dict[str, int] = field(default_factory=dict)  # by container, before it was started
    restarting: set[str] = field(default_factory=set)  # services that end again and again
    settled: bool = False  # no container that was just started has ended meanwhile
    tries: dict[str, tuple[int, float]] = field(default_factory=dict)  # the last one, seen since

    def look(self, *, now: bool) -> None:
        """See whether one has ended, is unhealthy or ends again and again, or all are healthy.

        That is hopeless, but the last, without a page, only after a minute: Odoo may be
        loading its modules. `now`: even if the last look was a moment ago.
        """
        time_now = time.monotonic()
        if not now and time_now - self.looked < _LOOK_SECONDS:
            return
        self.looked = time_now
        found = [s for s in self.stack.services() if s.service in self.services and not s.oneoff]
        broken = [s for s in found if s.broken]
        self.broken = bool(broken)
        if not self.began:
            self.began = time_now
            self.ill = frozenset(s.service for s in found if s.health == "unhealthy")
        interval = self.stack.settings.health_seconds
        if time_now - self.began > interval + HEALTH_TIMEOUT + _HEALTH_DELAY:
            self.ill = frozenset()
        self._count_restarts(found)
        healthy = all(s.health in ("healthy", "") for s in found)
        self.healthy_since = (self.healthy_since or time_now) if healthy else 0.0
        self.hopeless = (
            any(s.state != "restarting" and s.service not in self.ill for s in broken)
            or was_stopped(found, self.restarts)
            or bool(self.restarting)
            or bool(self.healthy_since and time_now - self.healthy_since > USABLE_SECONDS)
        )

    def _count_restarts(self, found: Sequence[Service]) -> None:
        self.settled = True
        for service in found:
            count = service.restarts
            last, since = self.tries.get(service.name, (-1, self.looked))
            since = since if last == count and service.state == "running" else self.looked
            self.tries[service.name] = count, since
            if service.health == "starting" and self.looked - since < _SETTLED_SECONDS:
                self.settled = False
            # A container that was made in place of another begins at 0.
            if count - min(count, self.restarts.get(service.name, 0)) > _MOST_RESTARTS:
                self.restarting.add(service.service)
