"""Continuous archiving: what it costs, what is lost, and how long a moment takes to restore.

On a platform in production that is up and may be thrown away, for it fills its database, and
switches BACKUP_CONTINUOUS off and on in its .env:
    .venv/bin/python benchmarks/continuous.py [SCALE]
SCALE is that of benchmarks/backup.py. Everything is measured in turn, in one run: writes with
and without archiving, a first and a daily base backup beside the seed's pipe, the restore of a
moment beside that of a backup and `psql <`, and how much of what was committed is in the archive
when server and disk are lost. A run that began on a busy machine is called not valid.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import quiet
from backup import (
    COMPOSE,
    PSQL,
    ROOT,
    ROWS,
    SEED,
    TABLES,
    fill,
    in_odoo,
    inv,
    run,
    sql,
    timed,
    touch,
)

_ROUNDS, _SECONDS, _WRITERS = 3, 20, 4
_FULL, _DAILY = "base backup, full", "base backup, 1 % changed"
_NIGHTLY, _MOMENT = "inv restore --to-database", "inv restore --at now --to-database"
# What Odoo does: a short transaction with an insert and two updates, from several connections.
_WRITE = f"""
import os, sys, threading, time, psycopg2
end, counts = time.time() + float(sys.argv[1]), []
def work(number):
    connection, done = psycopg2.connect(dbname=os.environ['ODOO_DATABASE']), 0
    cursor = connection.cursor()
    while time.time() < end:
        cursor.execute('INSERT INTO bench_writes (text) VALUES (%s) RETURNING id', ('x' * 300,))
        row = cursor.fetchone()[0]
        cursor.execute('UPDATE bench_writes SET text = text || %s WHERE id = %s', ('y', row))
        cursor.execute('UPDATE bench_counts SET n = n + 1 WHERE id = %s', (number,))
        connection.commit()
        done += 1
    counts.append(done)
threads = [threading.Thread(target=work, args=(n,)) for n in range({_WRITERS})]
[t.start() for t in threads]
[t.join() for t in threads]
print(sum(counts))
"""
# Seconds of all processes of the container, and of those that have ended (but for this one).
_USED = """
import os
from pathlib import Path
ticks, own = 0, str(os.getpid())
for place in Path('/proc').glob('[0-9]*'):
    if place.name != own:
        fields = (place / 'stat').read_text().rpartition(')')[2].split()
        ticks += sum(int(n) for n in fields[11:15])
print(ticks / os.sysconf('SC_CLK_TCK'))
"""
_NUMBERS = """
import os, sys, time, psycopg2
connection = psycopg2.connect(dbname=os.environ['ODOO_DATABASE'])
cursor, end = connection.cursor(), time.time() + float(sys.argv[1])
while time.time() < end:
    cursor.execute('INSERT INTO bench_numbers (at) VALUES (clock_timestamp())')
    connection.commit()
    time.sleep(0.1)
"""


def container(service: str) -> str:
    """The id of its container."""
    return run(*COMPOSE, "ps", "-q", service).strip()


def archive() -> dict[str, object]:
    """What `inv backup.archive` says."""
    found: dict[str, object] = json.loads(inv("backup.archive", "--json")) or {}
    return found


def switch(*, on: bool) -> None:
    """Have the platform archive, or not."""
    path = ROOT / ".env"
    lines = [n for n in path.read_text().splitlines() if not n.startswith("BACKUP_CONTINUOUS=")]
    path.write_text("\n".join([*lines, f"BACKUP_CONTINUOUS={'true' if on else 'false'}"]) + "\n")
    inv("up")
    while on and not _is_well():
        time.sleep(1)


def _is_well() -> bool:
    found = archive()
    gaps: list[dict[str, str]] = found.get("gaps") or []  # type: ignore[assignment]
    return bool(found.get("begins")) and not any(not gap["ends"] for gap in gaps)


def writes() -> float:
    """Transactions in a second."""
    program = ["exec", "-T", "--user", "odoo", "odoo", "python3", "-c", _WRITE, str(_SECONDS)]
    return int(run(*COMPOSE, *program)) / _SECONDS


def throughput() -> None:
    """With and without archiving, in turn."""
    sql("CREATE TABLE bench_writes (id serial PRIMARY KEY, text text)")
    sql(
        f"CREATE TABLE bench_counts AS SELECT n AS id, 0 AS n FROM generate_series(0, {_WRITERS}) n"
    )
    found: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(_ROUNDS):
        for on in (False, True):
            switch(on=on)
            found[on].append(writes())
            what = "with" if on else "without"
            print(
                f"{what:8} archiving {found[on][-1]:7.0f} /s   load {quiet.load():.1f}", flush=True
            )
    with_it, without = (statistics.median(found[on]) for on in (True, False))
    print(f"writes with / without archiving: {with_it / without:.2f}")


def base(kind: str) -> None:
    """A base backup of that kind, now."""
    name = '"$(cat /var/lib/archive/name)"'
    call = f"pgbackrest --config=/run/backup/pgbackrest.conf --stanza={name} backup --type={kind}"
    run(*COMPOSE, "exec", "-T", "archiver", "sh", "-c", call)


def size(place: Path) -> int:
    """Bytes below it."""
    return sum(path.stat().st_size for path in place.rglob("*") if path.is_file())


def restores(folder: Path, scale: float, seconds: dict[str, float]) -> None:
    """A first and a daily base backup, and restores."""
    dump, place = folder / "seed.sql", Path(os.environ["BACKUP_FOLDER"]) / "archive"

    def seed() -> None:
        with dump.open("wb") as stream:
            argv = [*COMPOSE, "exec", "-T", "odoo_db", "pg_dump", "-U", "odoo", "odoo"]
            subprocess.run(argv, cwd=ROOT, stdout=stream, check=True)

    def psql() -> None:
        with dump.open("rb") as stream:
            argv = ["exec", "-T", "odoo_db", "psql", "-q", "-U", "odoo", "-d", "seeded"]
            subprocess.run([*COMPOSE, *argv], cwd=ROOT, stdin=stream, check=True,
                           stdout=subprocess.DEVNULL)  # fmt: skip

    timed(SEED, seed, seconds)
    before = size(place)
    timed(_FULL, lambda: base("full"), seconds)
    print(f"{'':34} added {(size(place) - before) / 1e6:.0f} MB")
    touch(f"id <= {int(ROWS * scale / len(TABLES) / 100)}")
    before = size(place)
    timed(_DAILY, lambda: base("incr"), seconds)
    print(f"{'':34} added {(size(place) - before) / 1e6:.0f} MB, with the WAL since")
    inv("backup")
    timed(_NIGHTLY, lambda: inv("restore", "--to-database", "benched", "--yes"), seconds)
    timed(
        _MOMENT, lambda: inv("restore", "--at", "now", "--to-database", "benched", "--yes"), seconds
    )
    sql("CREATE DATABASE seeded TEMPLATE template0")
    timed(PSQL, psql, seconds)


def idle() -> None:
    """Processor time and memory of the archiver while nothing is written."""
    name = container("archiver")

    def used() -> float:
        return float(run("docker", "exec", name, "python3", "-c", _USED))

    begin, since = used(), time.monotonic()
    time.sleep(60)
    share = (used() - begin) / (time.monotonic() - since)
    memory = run("docker", "stats", "--no-stream", "--format", "{{.MemUsage}}", name).split()[0]
    print(f"archiver at idle: {share * 100:.2f} % of a core, {memory}")


def loss(folder: Path) -> None:
    """Rows every 0.1 s, then the server is killed, and only the repository is left."""
    sql("CREATE TABLE bench_numbers (id serial, at timestamptz)")
    in_odoo(_NUMBERS, "75")
    run("docker", "kill", "--signal", "KILL", container("odoo_db"))
    left = folder / "left"
    shutil.copytree(os.environ["BACKUP_FOLDER"], left)
    inv("up")
    last = sql("SELECT extract(epoch FROM max(at)) FROM bench_numbers")
    here = os.environ["BACKUP_FOLDER"]
    os.environ["BACKUP_FOLDER"] = str(left)
    inv("restore", "--at", "now", "--to-database", "benched", "--yes")
    os.environ["BACKUP_FOLDER"] = here
    psql = ["exec", "-T", "odoo_db", "psql", "-U", "odoo", "-d", "benched", "-tAc"]
    kept = run(*COMPOSE, *psql, "SELECT extract(epoch FROM max(at)) FROM bench_numbers").strip()
    print(f"lost with the server and its disk: {float(last) - float(kept):.1f} s")


def main() -> None:
    """Fill, measure, tidy, print."""
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    at_start = quiet.begin()
    seconds: dict[str, float] = {}
    os.environ.setdefault("BACKUP_FOLDER", str(ROOT / "backups"))
    fill(scale)
    try:
        with tempfile.TemporaryDirectory(dir=ROOT) as folder:
            throughput()
            idle()
            loss(Path(folder))
            restores(Path(folder), scale, seconds)
    finally:
        for name in ("seeded", "benched"):
            sql(f"DROP DATABASE IF EXISTS {name}")
    for what, against in ((_FULL, SEED), (_DAILY, SEED), (_MOMENT, _NIGHTLY), (_MOMENT, PSQL)):
        print(f"{what} / {against}: {seconds[what] / seconds[against]:.2f}")
    print(quiet.verdict(at_start))


if __name__ == "__main__":
    main()
