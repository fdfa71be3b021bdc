"""How many people, or visitors of a shop, an arrangement takes: by simulation, see simulation.py.

    .venv/bin/python benchmarks/capacity.py              # the tables of docs/scaling.md
    .venv/bin/python benchmarks/capacity.py --people 60 --workers 9 --cores 4 --db-cores 2
    .venv/bin/python benchmarks/capacity.py --pages 5 --hits 0.9 --workers 9 --cores 4
    .venv/bin/python benchmarks/capacity.py --validate   # against what was measured
What requests cost is measured (service_times.py, service_times.json; --times for those of your own
installation); how often they come is assumed (SHARES, THINK, CALLS). It loads one core, for some
minutes without arguments, and asks no server.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from simulation import Arrangement, Demand, Kind, Outcome, run

TIMES: Final = Path(__file__).with_name("service_times.json")
SLOWEST: Final = 1.0  # seconds, 95th percentile of the requests that somebody waits for
BUSIEST: Final = 0.7  # of workers and cores: beyond it queues grow quickly
# Assumed: a person reads and types for so many seconds between an answer and the next click, on
# average, and a click is so many requests, one after the other.
THINK: Final = 12.0
CALLS: Final = 4
PICTURES: Final = 20.0  # of a page of the shop: Odoo shows 20 products
HITS: Final = 0.9  # of the pictures, that a CDN has
# Assumed: of a hundred requests of people who work, so many are of each kind.
SHARES: Final = {
    "page": 1,
    "search": 15,
    "search orders": 20,
    "read": 34,
    "write": 10,
    "create": 4,
    "create order": 3,
    "order": 2,
    "file": 10,
    "report": 1,
}
# Of a hundred pages that visitors see.
SHOP: Final = {"shop page": 40, "product page": 60}
ROWS: Final = {
    "laptop, 2 cores for all": Arrangement(2, 2, crons=1),
    "one container, 2 cores for all": Arrangement(4, 2, crons=1),
    "4 + 2 cores": Arrangement(9, 4, 2, crons=2),
    "12 + 4 cores, 2 machines": Arrangement(25, 12, 4, latency=0.0005, crons=2),
    "40 + 16 cores, Swarm": Arrangement(85, 40, 16, latency=0.0005, crons=4),
    "150 + 32 cores, Swarm": Arrangement(300, 150, 32, latency=0.0005, connections=900, crons=4),
}
# benchmarks/replicas.py on two cores with four workers in all: requests a second.
MEASURED: Final = {"one container": 70.8, "1 replica": 77.3, "2 replicas": 77.8, "4 replicas": 72.7}
CLIENTS: Final = 16


@dataclass(frozen=True)
class Answer:
    """How much an arrangement takes, and how it is then."""

    name: str
    takes: float  # people, or pages a second
    limit: str  # what would be too much first
    outcome: Outcome


def read_times(path: Path, heavier: float = 1.0) -> dict[str, Kind]:
    """The kinds of request that `path` has, with so many times the work in Odoo and PostgreSQL.

    What websockets say by themselves has nothing to do with modules, and costs what it costs.
    """
    measured: dict[str, dict[str, float]] = json.loads(path.read_text())
    found = {}
    for name, costs in measured.items():
        times = {"nginx": 1.0, "queries": heavier, "odoo": heavier, "postgres": heavier}
        if name == "websocket":
            times = dict.fromkeys(times, 1.0)
        found[name] = Kind(name, 1.0, **{part: costs[part] * times[part] for part in times})
    return found


def shared(times: dict[str, Kind], shares: dict[str, int]) -> tuple[Kind, ...]:
    """The kinds of `shares`; one that was not measured is left out."""
    return tuple(
        replace(times[name], share=float(share)) for name, share in shares.items() if name in times
    )


def office(times: dict[str, Kind], people: float, think: float, calls: int) -> Demand:
    """People who work."""
    return Demand(
        shared(times, SHARES),
        people=max(1, round(people)),
        think=think,
        calls=calls,
        action=times["order"] if "order" in times else times["create"],
        websocket=times.get("websocket"),
    )


def shop(times: dict[str, Kind], pages: float, hits: float) -> Demand:
    """Visitors of a shop in the internet; a CDN or their browsers have `hits` of the pictures."""
    beside = ((times["picture"], PICTURES * (1 - hits)),)
    return Demand(shared(times, SHOP), rate=pages, beside=beside)


def loads(outcome: Outcome) -> dict[str, float]:
    """How near each part is to what it may have; 1 is the limit."""
    return {
        "response": outcome.p95 / SLOWEST,
        "workers": outcome.workers / BUSIEST,
        "cores of Odoo": outcome.cores / BUSIEST,
        "cores of PostgreSQL": outcome.db_cores / BUSIEST,
        "websockets": outcome.websockets / BUSIEST,
        "connections": 2.0 if outcome.refused else 0.0,
    }


def most(
    arrangement: Arrangement, demand: Callable[[float], Demand], clicks: int, seed: int
) -> tuple[float, Outcome, str]:
    """The largest number that keeps to the limits, how it is then, and what comes first beyond it.

    Within three in a hundred, or one person. Zero if there is none.
    """
    low, high = 0.0, 1.1 * bound(arrangement, demand(1.0))
    whole = demand(1.0).people > 0
    best = beyond = run(arrangement, demand(high), clicks, seed)
    middle = float(round(0.7 * high)) if whole else 0.7 * high  # mostly it is a little more
    while high - low > max(1.0 if whole else 0.0, 0.03 * high):
        found = run(arrangement, demand(middle), clicks, seed)
        if max(loads(found).values()) <= 1:
            low, best = middle, found
        else:
            high, beyond = middle, found
        middle = float(round((low + high) / 2)) if whole else (low + high) / 2
    near = loads(beyond)
    return low, best if low else beyond, max(near, key=lambda name: near[name])


def bound(arrangement: Arrangement, demand: Demand) -> float:
    """More people, or clicks a second, cannot be: the cores would be busier than BUSIEST."""
    weights = sum(kind.share for kind in demand.kinds)
    each = [(kind, demand.calls * kind.share / weights) for kind in demand.kinds]
    each += demand.beside
    odoo = sum((kind.odoo + kind.nginx) * count for kind, count in each)
    postgres = sum(kind.postgres * count for kind, count in each)
    own = arrangement.db_cores
    limits = [arrangement.cores / (odoo + (0.0 if own else postgres))]
    if own and postgres:
        limits.append(own / postgres)
    clicks = BUSIEST * min(limits)
    return clicks * (demand.think + demand.calls * SLOWEST) if demand.people else clicks


def tables(times: dict[str, Kind], asked: argparse.Namespace) -> dict[str, list[Answer]]:
    """What each of ROWS takes: people who work, and a shop without and with a CDN."""
    loads_of: dict[str, Callable[[float], Demand]] = {
        f"people who work, a click each {asked.think:g} s": lambda number: office(
            times, number, asked.think, asked.calls
        ),
        "pages of a shop a second, pictures from Odoo": lambda number: shop(times, number, 0.0),
        f"pages of a shop a second, {asked.hits:.0%} of pictures from a CDN": lambda number: shop(
            times, number, asked.hits
        ),
    }
    found: dict[str, list[Answer]] = {}
    for title, demand in loads_of.items():
        if not demand(1.0).people and "picture" not in times:
            continue
        for name, arrangement in ROWS.items():
            takes, outcome, limit = most(arrangement, demand, asked.clicks, asked.seed)
            found.setdefault(title, []).append(Answer(name, takes, limit, outcome))
    return found


def validation(times: dict[str, Kind], asked: argparse.Namespace) -> list[dict[str, float | str]]:
    """The login page's rate, simulated as benchmarks/replicas.py asks, beside what that measured.

    The model knows nothing of replicas: its workers share the cores as they do.
    """
    demand = Demand((times["login page"],), people=CLIENTS)
    simulated = run(Arrangement(4, 2), demand, asked.clicks, asked.seed).rate
    return [
        {
            "arrangement": name,
            "measured": rate,
            "simulated": round(simulated, 1),
            "off": round(simulated / rate - 1, 3),
        }
        for name, rate in MEASURED.items()
    ]


def show(outcome: Outcome) -> str:
    """One line of a table."""
    return (
        f"{outcome.median:7.2f} {outcome.p95:7.2f} {outcome.rate:8.1f} {outcome.workers:7.0%}"
        f" {outcome.cores:7.0%} {outcome.db_cores:7.0%} {outcome.websockets:7.0%}"
        f" {outcome.connections:6}"
    )


def as_text(answers: dict[str, list[Answer]]) -> str:
    """The tables to read."""
    lines = []
    for title, rows in answers.items():
        lines += [title, f"{'':32} {'takes':>7} {HEAD}  first"]
        for row in rows:
            takes = f"{row.takes:7.1f}" if row.takes < 100 else f"{row.takes:7.0f}"
            lines.append(f"{row.name:32} {takes} {show(row.outcome)}  {row.limit}")
        lines.append("")
    return "\n".join(lines)


HEAD: Final = " median  95th %    req/s workers    Odoo    PgSQL websock. connections"


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """What was asked; wrong values end the program."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, help="who work at the same time")
    parser.add_argument("--pages", type=float, help="of a shop, a second")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--cores", type=int, default=2, help="of Odoo")
    parser.add_argument("--db-cores", type=int, default=0, help="0: those of Odoo")
    parser.add_argument("--latency", type=float, default=0.0, help="to PostgreSQL and back, ms")
    parser.add_argument("--connections", type=int, default=192)
    parser.add_argument("--crons", type=int, default=1)
    parser.add_argument("--think", type=float, default=THINK, help="seconds between clicks, mean")
    parser.add_argument("--calls", type=int, default=CALLS, help="requests of a click")
    parser.add_argument("--hits", type=float, default=HITS, help="share of a shop's pictures")
    parser.add_argument("--times", type=Path, default=TIMES, help="what requests cost")
    parser.add_argument(
        "--heavier", type=float, default=1.0, help="requests cost so many times as much"
    )
    parser.add_argument("--clicks", type=int, default=3000, help="more are more exact")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(argv)
    numbers = (asked.workers, asked.cores, asked.calls, asked.clicks // 100)
    if min(numbers) < 1 or not 0 <= asked.hits <= 1 or min(asked.think, asked.heavier - 0.1) < 0:
        parser.error("workers, cores, calls: 1 or more; clicks: 100 or more; hits: 0 to 1")
    return asked


def main() -> None:
    """Answer, as text or as JSON."""
    asked = arguments()
    times = read_times(asked.times, asked.heavier)
    if asked.validate:
        found = validation(times, asked)
        lines = [f"{row['arrangement']:16} {row['measured']:>6} {row['simulated']:>6}"
                 f" {row['off']:+7.1%}" for row in found]  # fmt: skip
        print(json.dumps(found, indent=2) if asked.json else "\n".join(lines))
    elif asked.people or asked.pages:
        one = Arrangement(asked.workers, asked.cores, asked.db_cores, asked.latency / 1000,
                          asked.connections, asked.crons)  # fmt: skip
        demand = (
            office(times, asked.people, asked.think, asked.calls)
            if asked.people
            else shop(times, asked.pages, asked.hits)
        )
        outcome = run(one, demand, asked.clicks, asked.seed)
        print(json.dumps(asdict(outcome), indent=2) if asked.json else f"{HEAD}\n{show(outcome)}")
    else:
        answers = tables(times, asked)
        as_data = {title: [asdict(row) for row in rows] for title, rows in answers.items()}
        print(json.dumps(as_data, indent=2) if asked.json else as_text(answers))


if __name__ == "__main__":
    main()
