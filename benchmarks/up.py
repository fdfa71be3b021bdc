"""Wall time of `inv up` against bare `docker compose up -d --wait`, as a ratio.

The first ends when the login page is served, the second when every container is healthy.

Run it beside a platform that was set up by `inv quickstart` and may be stopped:
    .venv/bin/python benchmarks/up.py [ROUNDS]
Both start the same stopped stack in turn, so that a noisy machine hits both.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMPOSE = ["docker", "compose"]
RIVALS = {
    "docker compose up -d --wait": [*COMPOSE, "up", "-d", "--wait"],
    "inv up": [str(ROOT / "scripts" / "inv"), "up"],
}


def seconds(argv: list[str]) -> float:
    """Wall time of `argv`, which has to succeed."""
    started = time.monotonic()
    subprocess.run(argv, cwd=ROOT, check=True, capture_output=True)
    return time.monotonic() - started


def main() -> None:
    """Print medians and the median of the pairwise ratios."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    taken: dict[str, list[float]] = {name: [] for name in RIVALS}
    for _ in range(rounds):
        for name, argv in RIVALS.items():
            seconds([*COMPOSE, "stop"])
            taken[name].append(seconds(argv))
    bare, ours = taken.values()
    for name, values in taken.items():
        print(f"{name:30} {statistics.median(values):6.2f} s")
    ratios = [b / a for a, b in zip(bare, ours, strict=True)]
    print(f"{'ratio (median of pairs)':30} {statistics.median(ratios):6.2f}")


main()
