"""The simulation against what theory knows exactly."""

import math

import pytest
from simulation import Arrangement, Demand, Kind, Outcome, run

SECONDS = 0.04
PLAIN = Kind("plain", 1.0, odoo=SECONDS, postgres=0.0)
BOTH = Kind("both", 1.0, odoo=0.06, postgres=0.04, queries=10)
PLENTY = 1000


def _waiting(servers: int, busy: float) -> float:
    """Mean seconds in the queue M/M/c with SECONDS of service: Erlang's formula C."""
    offered = servers * busy
    full = offered**servers / math.factorial(servers) / (1 - busy)
    some = sum(offered**n / math.factorial(n) for n in range(servers))
    return full / (some + full) * SECONDS / (servers * (1 - busy))


def _visitors(arrangement: Arrangement, rate: float, clicks: int = 8000) -> Outcome:
    return run(arrangement, Demand((PLAIN,), rate=rate), clicks)


def _people(arrangement: Arrangement, people: int, think: float, kind: Kind = PLAIN) -> Outcome:
    return run(arrangement, Demand((kind,), people=people, think=think), 3000)


@pytest.mark.parametrize(("servers", "busy"), [(1, 0.5), (2, 0.7), (4, 0.8)])
def test_workers_with_a_core_each_are_the_queue_of_erlang(servers: int, busy: float) -> None:
    rate = servers * busy / SECONDS
    outcome = _visitors(Arrangement(servers, servers), rate, 12_000)
    assert outcome.mean == pytest.approx(_waiting(servers, busy) + SECONDS, rel=0.06)
    assert outcome.workers == pytest.approx(busy, rel=0.04)


def test_a_short_turn_on_a_core_is_processor_sharing() -> None:
    """M/M/1 with many workers has the same mean, as no request waits for a worker."""
    outcome = _visitors(Arrangement(PLENTY, 1), 0.6 / SECONDS, 12_000)
    assert outcome.mean == pytest.approx(SECONDS / 0.4, rel=0.08)
    assert outcome.cores == pytest.approx(0.6, rel=0.04)


def test_workers_beyond_the_cores_serve_no_more() -> None:
    rates = [_people(Arrangement(workers, 2), 64, 0.0).rate for workers in (2, 4, 32)]
    assert rates == pytest.approx([2 / SECONDS] * 3, rel=0.05)


def test_workers_that_wait_for_the_database_are_held() -> None:
    """With one core for each of both and one worker, they never work at the same time."""
    alone = _people(Arrangement(1, 1, 1), 16, 0.0, BOTH)
    several = _people(Arrangement(8, 1, 1), 16, 0.0, BOTH)
    assert alone.rate == pytest.approx(10, rel=0.05)
    assert alone.workers == pytest.approx(1.0, abs=0.01)
    assert alone.cores == pytest.approx(0.6, rel=0.05)
    assert alone.db_cores == pytest.approx(0.4, rel=0.05)
    assert several.rate == pytest.approx(1 / 0.06, rel=0.05)
    assert several.cores == pytest.approx(1.0, abs=0.02)


def test_the_database_on_the_same_cores_takes_its_part_of_them() -> None:
    outcome = _people(Arrangement(8, 2), 16, 0.0, BOTH)
    assert outcome.rate == pytest.approx(2 / 0.1, rel=0.05)
    assert outcome.cores == outcome.db_cores == pytest.approx(1.0, abs=0.02)


def test_statements_that_travel_hold_the_worker_and_no_core() -> None:
    outcome = run(
        Arrangement(1, 1, 1, latency=0.01), Demand((BOTH,), people=4), 4000
    )  # 10 statements of 10 ms on the way
    assert outcome.rate == pytest.approx(1 / 0.2, rel=0.05)
    assert outcome.cores == pytest.approx(0.3, rel=0.05)


def test_people_in_all_are_rate_times_response_and_thinking() -> None:
    """Little's law."""
    people, think = 40, 2.0
    outcome = _people(Arrangement(4, 2), people, think)
    assert outcome.clicks * (outcome.mean + think) == pytest.approx(people, rel=0.05)


@pytest.mark.parametrize("people", [1, 10, 40, 80])
def test_no_more_than_the_bounds_of_a_closed_network(people: int) -> None:
    """X is at most N / (R + Z), and cores / seconds of each."""
    outcome = _people(Arrangement(4, 2), people, 3.0)
    most = min(people / (SECONDS + 3.0), 2 / SECONDS)
    assert 0.75 * most < outcome.clicks < 1.05 * most


def test_the_requests_of_a_click_follow_one_another() -> None:
    demand = Demand((PLAIN,), people=1, think=1.0, calls=4)
    outcome = run(Arrangement(4, 4), demand, 3000)
    assert outcome.mean == pytest.approx(SECONDS, rel=0.05)
    assert outcome.rate == pytest.approx(4 * outcome.clicks, rel=0.01)
    assert outcome.clicks == pytest.approx(1 / (1.0 + 4 * SECONDS), rel=0.05)


def test_what_comes_beside_a_page_loads_and_is_not_waited_for() -> None:
    demand = Demand((PLAIN,), rate=1.0, beside=((PLAIN, 2.5),))
    outcome = run(Arrangement(PLENTY, PLENTY), demand, 3000)
    assert outcome.rate == pytest.approx(3.5, rel=0.05)
    assert outcome.mean == pytest.approx(SECONDS, rel=0.05)


def test_scheduled_actions_and_websockets_take_cores_and_no_workers() -> None:
    light = Kind("light", 1.0, odoo=0.001, postgres=0.0)
    quiet = Demand((light,), people=100, think=10.0)
    busy = Demand(
        (light,), people=100, think=10.0,
        action=PLAIN, action_pause=1.0, websocket=PLAIN, websocket_pause=100.0,
    )  # fmt: skip
    before = run(Arrangement(4, 2, crons=3), quiet, 3000)
    after = run(Arrangement(4, 2, crons=3), busy, 3000)
    assert after.workers == pytest.approx(before.workers, rel=0.3)
    assert after.websockets == pytest.approx(SECONDS, rel=0.15)
    on_cores = (after.cores - before.cores) * 2
    assert on_cores == pytest.approx(SECONDS + 3 * SECONDS / (1 + SECONDS), rel=0.1)


def test_connections_are_counted_and_refused_beyond_the_limit() -> None:
    enough = _people(Arrangement(8, 8, 8), 16, 0.0, BOTH)
    short = _people(Arrangement(8, 8, 8, connections=5), 16, 0.0, BOTH)
    assert (enough.connections, enough.refused) == (8, 0)
    assert short.connections == 5
    assert short.refused > 0


def test_the_same_seed_has_the_same_outcome() -> None:
    demand = Demand((PLAIN, BOTH), people=20, think=1.0)
    first, again, other = (run(Arrangement(4, 2), demand, 1000, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
