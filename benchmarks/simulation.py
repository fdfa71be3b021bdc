"""A model of Odoo's production in which time is counted, not waited for; capacity.py asks it.

A request passes Nginx, waits for a worker, and holds it while its turns of Odoo and PostgreSQL
follow one another: a turn of Odoo needs one of Odoo's cores, a turn of PostgreSQL one of
PostgreSQL's, and each SQL statement travels once there and back. People make a click, wait for its
answers, and think; visitors come without looking how long the ones before them wait. Times are
seconds, and how long a request works is exponential with the mean that was measured.
"""

import random
import statistics
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, Final

import simpy

QUANTUM: Final = 0.02  # seconds of a turn on a core before the next in the queue has one
WARM_UP: Final = 0.1  # of the clicks, which are not counted

# What can be busy.
_WORKERS, _ODOO, _POSTGRES, _WEBSOCKETS = _PARTS = ("workers", "odoo", "postgres", "websockets")

Steps = Generator[simpy.Event, Any, None]


@dataclass(frozen=True)
class Kind:
    """One kind of request: its share of all, and what one costs, in seconds of processor."""

    name: str
    share: float
    odoo: float
    postgres: float
    queries: float = 0.0  # SQL statements
    nginx: float = 0.0


@dataclass(frozen=True)
class Arrangement:
    """The machines. Without `db_cores`, PostgreSQL works on Odoo's cores."""

    workers: int
    cores: int
    db_cores: int = 0
    latency: float = 0.0  # seconds of one SQL statement there and back, besides PostgreSQL's work
    connections: int = 192  # how many requests and actions may have one at the same time
    crons: int = 0  # threads of scheduled actions


@dataclass(frozen=True)
class Demand:
    """Who asks for what: `people` who click and think, or `rate` visitors' clicks a second."""

    kinds: tuple[Kind, ...]
    people: int = 0
    think: float = 0.0  # mean seconds between an answer and the next click
    rate: float = 0.0
    calls: int = 1  # requests of a click, one after the other
    beside: tuple[tuple[Kind, float], ...] = ()  # after the answer, so many of each at once
    action: Kind | None = None  # what each thread of scheduled actions does
    action_pause: float = 60.0  # mean seconds between two of them
    websocket: Kind | None = None  # what each person's page sends by itself
    websocket_pause: float = 60.0


@dataclass(frozen=True)
class Outcome:
    """What came out. Response times are those of requests that somebody waits for."""

    median: float
    p95: float
    mean: float
    rate: float  # requests a second that a worker has answered
    clicks: float  # a second
    workers: float  # busy share, as the next three
    cores: float
    db_cores: float
    websockets: float  # of the one process that serves them
    connections: int  # most that were in use at the same time
    refused: int  # requests for which no connection was left


@dataclass
class _Tally:
    responses: list[float] = field(default_factory=list)
    clicks: int = 0
    requests: int = 0
    connected: int = 0
    most: int = 0
    refused: int = 0
    since: float = 0.0  # when counting began
    busy: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_PARTS, 0.0))


class Model:
    """One run. The same arguments always have the same outcome."""

    def __init__(self, arrangement: Arrangement, demand: Demand, seed: int = 1) -> None:
        self.env = simpy.Environment()
        self.arrangement, self.demand = arrangement, demand
        self.workers = simpy.Resource(self.env, arrangement.workers)
        self.cores = simpy.Resource(self.env, arrangement.cores)
        own = arrangement.db_cores
        self.db_cores = simpy.Resource(self.env, own) if own else self.cores
        self.websockets = simpy.Resource(self.env, 1)  # one process serves all of them
        self.random = random.Random(seed)
        self.tally = _Tally()
        self.shares = [kind.share for kind in demand.kinds]

    def run(self, clicks: int) -> Outcome:
        """What `clicks` clicks meet, the first of which are not counted."""
        for _ in range(self.demand.people):
            self.env.process(self._person())
            self._start_websocket()
        if self.demand.rate:
            self.env.process(self._visitors())
        if self.demand.action:
            for _ in range(self.arrangement.crons):
                self.env.process(self._again(self.demand.action, self.demand.action_pause, None))
        self._until(int(clicks * WARM_UP))
        self.tally = _Tally(since=self.env.now, connected=self.tally.connected)
        self._until(clicks)
        return self._outcome()

    def _until(self, clicks: int) -> None:
        while self.tally.clicks < clicks:
            self.env.step()

    def _outcome(self) -> Outcome:
        tally, arranged = self.tally, self.arrangement
        passed = self.env.now - tally.since
        busy = {part: seconds / passed for part, seconds in tally.busy.items()}
        on_odoo = busy[_ODOO] + (0.0 if arranged.db_cores else busy[_POSTGRES])
        on_postgres = busy[_POSTGRES] if arranged.db_cores else on_odoo
        points = statistics.quantiles(tally.responses, n=20)
        return Outcome(
            median=points[9],
            p95=points[18],
            mean=statistics.fmean(tally.responses),
            rate=tally.requests / passed,
            clicks=tally.clicks / passed,
            workers=busy[_WORKERS] / arranged.workers,
            cores=on_odoo / arranged.cores,
            db_cores=on_postgres / (arranged.db_cores or arranged.cores),
            websockets=busy[_WEBSOCKETS],
            connections=tally.most,
            refused=tally.refused,
        )

    def _person(self) -> Steps:
        if self.demand.think:  # they do not all begin at the same moment
            yield self.env.timeout(self.random.expovariate(1 / self.demand.think))
        while True:
            yield from self._click()
            if self.demand.think:
                yield self.env.timeout(self.random.expovariate(1 / self.demand.think))

    def _visitors(self) -> Steps:
        while True:
            yield self.env.timeout(self.random.expovariate(self.demand.rate))
            self.env.process(self._click())

    def _click(self) -> Steps:
        for kind in self.random.choices(self.demand.kinds, self.shares, k=self.demand.calls):
            began = self.env.now
            yield from self._request(kind, self.workers)
            self.tally.responses.append(self.env.now - began)
        self.tally.clicks += 1
        for kind, mean in self.demand.beside:
            whole = int(mean)
            for _ in range(whole + (self.random.random() < mean - whole)):
                self.env.process(self._request(kind, self.workers))

    def _start_websocket(self) -> None:
        if self.demand.websocket:
            pause = self.demand.websocket_pause
            self.env.process(self._again(self.demand.websocket, pause, self.websockets))

    def _again(self, kind: Kind, pause: float, place: simpy.Resource | None) -> Steps:
        while True:
            yield self.env.timeout(self.random.expovariate(1 / pause))
            yield from self._request(kind, place)

    def _request(self, kind: Kind, place: simpy.Resource | None) -> Steps:
        """`place` is held from beginning to end; scheduled actions have processes of their own."""
        if kind.nginx:
            yield from self._work(self.cores, _ODOO, kind.nginx)
        if place is None:
            yield from self._connected(kind)
            return
        with place.request() as turn:
            if not turn.triggered:
                yield turn
            began = self.env.now
            yield from self._connected(kind)
            part = _WORKERS if place is self.workers else _WEBSOCKETS
            self.tally.requests += part is _WORKERS
            self.tally.busy[part] += self.env.now - max(began, self.tally.since)

    def _connected(self, kind: Kind) -> Steps:
        if kind.queries:
            if self.tally.connected >= self.arrangement.connections:
                self.tally.refused += 1
                yield from self._work(self.cores, _ODOO, QUANTUM)  # the page that says so
                return
            self.tally.connected += 1
            self.tally.most = max(self.tally.most, self.tally.connected)
        left = self.random.expovariate(1.0)  # of the mean
        turn = QUANTUM / (kind.odoo + kind.postgres)
        while left > 0:
            part = min(turn, left)
            left -= turn
            yield from self._work(self.cores, _ODOO, part * kind.odoo)
            yield from self._work(self.db_cores, _POSTGRES, part * kind.postgres)
            away = part * kind.queries * self.arrangement.latency
            if away:
                yield self.env.timeout(away)
        if kind.queries:
            self.tally.connected -= 1

    def _work(self, cores: simpy.Resource, name: str, seconds: float) -> Steps:
        if not seconds:
            return
        with cores.request() as turn:
            if not turn.triggered:
                yield turn
            yield self.env.timeout(seconds)
        self.tally.busy[name] += seconds


def run(arrangement: Arrangement, demand: Demand, clicks: int, seed: int = 1) -> Outcome:
    """One run from the beginning."""
    return Model(arrangement, demand, seed).run(clicks)
