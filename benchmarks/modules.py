"""`inv module.update` against `odoo -u all`, and a snapshot against pg_dump, as ratios.

On a platform that is up and may be thrown away, for it installs modules and fills a table:
    .venv/bin/python benchmarks/modules.py [ROUNDS] [MEGABYTES]
The rivals take turns, so that a noisy machine hits all of them. `-u all` is what one does who
does not know what has changed; pg_dump is the snapshot one makes by hand before it.
"""

import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMPOSE = ["docker", "compose"]
INV = str(ROOT / "scripts" / "inv")
MODULES = "crm,sale_management,stock"
SMALL = ROOT / "odoo" / "addons" / "zz_benchmark"
NOTHING, ONE, ALL = "inv module.update, nothing changed", "inv module.update, one", "odoo -u all"
SNAPSHOT, DUMP = "snapshot", "pg_dump -Fc"
PAIRS = ((NOTHING, ALL), (ONE, ALL), (SNAPSHOT, DUMP))


def run(*argv: str) -> str:
    """The output of a command, which has to succeed."""
    return subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def in_database(sql: str) -> None:
    """Run SQL in Odoo's database."""
    run(*COMPOSE, "exec", "-T", "odoo_db", "psql", "-qU", "odoo", "-d", "odoo", "-c", sql)


def write_small(text: str) -> None:
    """A module of one record, which makes or renames a partner."""
    SMALL.mkdir(exist_ok=True)
    manifest = {"name": "Benchmark", "author": "-", "license": "LGPL-3", "data": ["data.xml"]}
    (SMALL / "__manifest__.py").write_text(repr(manifest))
    (SMALL / "__init__.py").write_text("")
    field = f'<field name="name">{text}</field>'
    record = f'<record id="one" model="res.partner">{field}</record>'
    (SMALL / "data.xml").write_text(f"<odoo>{record}</odoo>")


def timed(work: Callable[[], object]) -> float:
    """Its seconds on the wall."""
    started = time.monotonic()
    work()
    return time.monotonic() - started


def one_round(number: int) -> dict[str, float]:
    """The seconds of each rival."""
    seconds = {NOTHING: timed(lambda: run(INV, "module.update"))}
    write_small(f"round {number}")
    told: dict[str, dict[str, float]] = {}
    seconds[ONE] = timed(lambda: told.update(json.loads(run(INV, "module.update", "--json"))))
    seconds[SNAPSHOT] = told["snapshot"]["seconds"]
    everything = ["odoo", "-d", "odoo", "-u", "all", "--stop-after-init"]
    seconds[ALL] = timed(lambda: run(*COMPOSE, "exec", "-T", "odoo", *everything))
    dump = ["pg_dump", "-U", "odoo", "-Fc", "-f", "/tmp/benchmark.dump", "odoo"]
    seconds[DUMP] = timed(lambda: run(*COMPOSE, "exec", "-T", "odoo_db", *dump))
    return seconds


def main() -> None:
    """Print medians and the medians of the pairwise ratios."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    megabytes = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    write_small("before")
    try:
        run(INV, "module.install", f"{MODULES},{SMALL.name}", "--no-snapshot")
        in_database(
            "CREATE TABLE IF NOT EXISTS benchmark AS SELECT n, md5(n::text) || md5((n + 1)::text)"
            f" AS note FROM generate_series(1, {megabytes} * 10000) n"
        )
        found = [one_round(number) for number in range(rounds)]
    finally:
        shutil.rmtree(SMALL, ignore_errors=True)
        run(*COMPOSE, "exec", "-T", "odoo_db", "rm", "-f", "/tmp/benchmark.dump")
    for name in found[0]:
        print(f"{name:<36}{statistics.median(f[name] for f in found):8.1f} s")
    for ours, theirs in PAIRS:
        ratio = statistics.median(f[ours] / f[theirs] for f in found)
        print(f"{ours} / {theirs}: {ratio:.3f}")


if __name__ == "__main__":
    main()
