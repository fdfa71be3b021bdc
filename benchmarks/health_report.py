"""`inv health` against five questions of a shell script, one after the other, as a ratio.

On a platform of development that is up:
    .venv/bin/python benchmarks/health_report.py [ROUNDS]
Both in turn, in one run. The script asks what the first five lines are about, and no more:
Nginx, the login page, Odoo in its container, PostgreSQL, Redis. In the end PostgreSQL is paused.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import quiet

ROOT = Path(__file__).resolve().parents[1]
INV = [str(ROOT / "scripts" / "inv")]
_SCRIPT = """
curl -fsS -o /dev/null "http://127.0.0.1:$1/nginx-health"
curl -fsS -o /dev/null "http://127.0.0.1:$1/web/login"
docker compose exec -T odoo curl -fsS -o /dev/null http://127.0.0.1:8069/web/health
docker compose exec -T odoo_db pg_isready -q -U odoo
docker compose exec -T redis sh /etc/platform/cli ping >/dev/null
"""


def seconds(*argv: str) -> tuple[float, float]:
    """How long a command takes, and how many of them the processors work for it here."""
    before, began = os.times(), time.monotonic()
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    took, after = time.monotonic() - began, os.times()
    if done.returncode and argv[0] == "sh":
        sys.exit(f"{argv[:2]}: {done.stderr}")
    own = after.children_user + after.children_system
    return took, own - before.children_user - before.children_system


def main() -> None:
    """Measure, and print a table."""
    rounds = int(sys.argv[1]) if sys.argv[1:] else 10
    at_start = quiet.begin()
    settings = subprocess.run(
        [*INV, "config", "--json"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    port = {r["variable"]: r["value"] for r in json.loads(settings.stdout)}["NGINX_HTTP_PORT"]
    script = ["sh", "-ec", _SCRIPT, "sh", port or "80"]
    health = [*INV, "health"]
    ours, theirs = [], []
    for _ in range(rounds):
        theirs.append(seconds(*script))
        ours.append(seconds(*health))
    found = json.loads(
        subprocess.run(
            [*health, "--json"], cwd=ROOT, capture_output=True, text=True, check=False
        ).stdout
    )
    mine, other = (statistics.median(t for t, _ in each) for each in (ours, theirs))
    print(f"inv health, {len(found['checks'])} checks: {mine:.2f} s ({found['status']})")
    print(f"five questions of a script: {other:.2f} s")
    print(f"ratio: {mine / other:.2f}")
    print(
        f"processor, without the containers: {statistics.median(c for _, c in ours):.2f} s"
        f" and {statistics.median(c for _, c in theirs):.2f} s"
    )
    print(quiet.verdict(at_start))
    compose = ["docker", "compose"]
    subprocess.run([*compose, "pause", "odoo_db"], cwd=ROOT, capture_output=True, check=True)
    try:
        print(f"PostgreSQL paused: {seconds(*health)[0]:.2f} s")
    finally:
        subprocess.run([*compose, "unpause", "odoo_db"], cwd=ROOT, capture_output=True, check=True)


if __name__ == "__main__":
    main()
