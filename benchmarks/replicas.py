"""Requests a second of one container of Odoo and of several, with as many workers in all.

Run it on production that runs, when the machine has nothing else to do:
    .venv/bin/python benchmarks/replicas.py [ROUNDS]
It starts the platform with 0, 1, 2 and 4 replicas in turn, four workers in all each time, and
at the end as it was. The login page is asked through a Nginx of its own without limits; all
load comes from a container in the platform's network.
"""

import os
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import quiet  # noqa: E402

from nginx import SETTINGS, await_answers, build_loader, load, nginx, run  # noqa: E402

WORKERS = 4
ARRANGEMENTS = (0, 1, 2, 4)  # replicas; 0: one container does everything
SITE = "replicas.bench"
REQUESTS = 400
CLIENTS = 16


def measured(replicas: int, rounds: int) -> list[float]:
    """Requests a second, once for each round."""
    os.environ["ODOO_WORKERS"] = str(WORKERS // max(1, replicas))
    run("./scripts/inv", "up", "--prod", "--replicas", str(replicas))
    url = f"https://{SITE}/web/login"
    with tempfile.TemporaryDirectory() as folder, nginx(Path(folder), SITE, {}):
        await_answers(url)
        load(url, REQUESTS, CLIENTS)  # every worker loads its registry
        return [load(url, REQUESTS, CLIENTS)[0] for _ in range(rounds)]


def main() -> None:
    """Print the medians and their ratio to one container."""
    began = quiet.begin()
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    build_loader()
    before = str(SETTINGS.replicas)
    found = {}
    try:
        for replicas in ARRANGEMENTS:
            found[replicas] = statistics.median(measured(replicas, rounds))
    finally:
        os.environ.pop("ODOO_WORKERS", None)
        run("./scripts/inv", "up", "--prod", "--replicas", before)
    print(f"{os.cpu_count()} cores, {WORKERS} workers in all, {CLIENTS} clients, /web/login")
    for replicas, rate in found.items():
        name = f"{replicas} replicas" if replicas else "one container"
        print(f"{name:15} {rate:7.1f} req/s  {rate / found[0]:5.2f}")
    print(quiet.verdict(began))


if __name__ == "__main__":
    main()
