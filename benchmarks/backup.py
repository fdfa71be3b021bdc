"""`inv backup` and `inv restore` against what a user would do instead, as ratios.

On a platform that is up and may be thrown away, for it fills its database:
    .venv/bin/python benchmarks/backup.py [SCALE]
SCALE 1 is a database of about 1.7 GB (as a plain dump) and 20,000 files of 2.3 GB; 0.1 is
a tenth of both. Everything is measured in turn, in one run. Peers: the seed's pipe
(`pg_dump > file`, no attachments) and Odoo's own zip.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMPOSE = ["docker", "compose"]
ROWS, FILES, FILE_BYTES = 5_000_000, 20_000, 118_000

_FILL = """
import hashlib, os, random, sys, psycopg2
from pathlib import Path
count, size = int(sys.argv[1]), int(sys.argv[2])
folder = Path('/var/lib/odoo/filestore') / os.environ['ODOO_DATABASE']
rows = []
for n in range(count):
    length = random.randint(size // 4, size * 7 // 4)
    content = os.urandom(length // 2) + (b'%010d' % n) * (length // 20)
    sha = hashlib.sha1(content).hexdigest()
    (folder / sha[:2]).mkdir(exist_ok=True)
    (folder / sha[:2] / sha).write_bytes(content)
    rows.append((f'{n}.bin', f'{sha[:2]}/{sha}', len(content), sha))
with psycopg2.connect(dbname=os.environ['ODOO_DATABASE']) as c, c.cursor() as cursor:
    cursor.executemany("INSERT INTO ir_attachment (name, type, store_fname, file_size, checksum)"
                       " VALUES (%s, 'binary', %s, %s, %s)", rows)
"""
_ZIP = """
import odoo
from odoo.service.db import dump_db
odoo.tools.config.parse_config(['-c', '/run/odoo/odoo.conf', '--no-http'])
odoo.tools.config['list_db'] = True
with open('/var/lib/odoo/bench.zip', 'wb') as stream:
    dump_db('odoo', stream, 'zip')
"""


def run(*argv: str, stdin: str = "") -> str:
    """The output of a command, which has to succeed."""
    done = subprocess.run(
        argv, cwd=ROOT, capture_output=True, text=True, input=stdin or None, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(argv[:8])} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def sql(query: str) -> str:
    """What psql answers."""
    psql = ["exec", "-T", "odoo_db", "psql", "-q", "-U", "odoo", "-d", "odoo", "-tAc", query]
    return run(*COMPOSE, *psql).strip()


def in_odoo(code: str, *arguments: str) -> None:
    """Run Python in Odoo's container, as its user."""
    program = ["exec", "-T", "--user", "odoo", "odoo", "python3", "-c", code, *arguments]
    run(*COMPOSE, *program)


def inv(*arguments: str) -> str:
    """Run a command of the platform."""
    return run("./scripts/inv", *arguments)


class Memory:
    """The most that a container of backups has held, caches of files left out."""

    def __init__(self) -> None:
        self.peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        argv = ["docker", "ps", "-q", "--filter", "label=com.docker.compose.oneoff=True"]
        while not self._stop.wait(0.5):
            for name in run(*argv).split():
                top = subprocess.run(
                    ["docker", "top", name, "-eo", "pid,rss,comm"], capture_output=True, text=True
                )
                lines = top.stdout.splitlines()[1:]
                total = sum(int(line.split()[1]) for line in lines if "docker-init" not in line)
                self.peak = max(self.peak, total * 1024)


def timed(what: str, work: Callable[[], object], results: dict[str, float]) -> object:
    """Run `work` and keep its seconds under `what`."""
    started = time.monotonic()
    with Memory() as memory:
        answer = work()
    results[what] = time.monotonic() - started
    print(f"{what:34} {results[what]:7.1f} s   {memory.peak / 1e6:6.0f} MB", flush=True)
    return answer


def fill(scale: float) -> None:
    """A company of some years."""
    sql("DROP TABLE IF EXISTS bench")
    sql(
        "CREATE TABLE bench AS SELECT n AS id, n % 977 AS partner, now() - n * interval '1 min'"
        " AS at, md5(n::text) AS ref, repeat('line of an order ', 8 + n % 7) || md5((n*7)::text)"
        f" AS note, n % 2 = 0 AS posted FROM generate_series(1, {int(ROWS * scale)}) n"
    )
    sql("ALTER TABLE bench ADD PRIMARY KEY (id); CREATE INDEX ON bench (partner); ANALYZE bench")
    in_odoo(_FILL, str(int(FILES * scale)), str(FILE_BYTES))


def backup() -> dict[str, float]:
    """`inv backup`, and its manifest."""
    manifest: dict[str, float] = json.loads(inv("backup", "--json"))
    added = manifest["added_bytes"] / 1e6
    print(f"{'':34} added {added:.0f} MB, guarded {manifest['guarded_seconds']} s")
    return manifest


def main() -> None:
    """Fill, measure in turn, print."""
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    fill(scale)
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        dump = Path(folder) / "seed.sql"
        os.environ["BACKUP_FOLDER"] = str(
            Path(folder) / "repository"
        )  # a first backup is the first

        def seed() -> None:
            with dump.open("wb") as stream:
                argv = [*COMPOSE, "exec", "-T", "odoo_db", "pg_dump", "-U", "odoo", "odoo"]
                subprocess.run(argv, cwd=ROOT, stdout=stream, check=True)

        timed("inv backup, first", backup, seconds)
        timed("inv backup, unchanged", backup, seconds)
        sql(f"UPDATE bench SET note = note || '.' WHERE id < {int(ROWS * scale / 100)}")
        timed("inv backup, 1 % in one place", backup, seconds)
        sql("UPDATE bench SET note = note || '.' WHERE id % 100 = 3")
        timed("inv backup, 1 % scattered", backup, seconds)
        timed("seed: pg_dump > file", seed, seconds)
        print(f"{'':34} {dump.stat().st_size / 1e6:.0f} MB")
        timed("Odoo's own zip", lambda: in_odoo(_ZIP), seconds)
        beside = ["restore", "--to-database", "benched", "--yes"]
        timed("inv restore --to-database", lambda: inv(*beside), seconds)
        timed("inv backup.verify", lambda: inv("backup.verify"), seconds)
        sql("CREATE DATABASE seeded TEMPLATE template0")

        def psql() -> None:
            with dump.open("rb") as stream:
                argv = ["exec", "-T", "odoo_db", "psql", "-q", "-U", "odoo", "-d", "seeded"]
                subprocess.run([*COMPOSE, *argv], cwd=ROOT, stdin=stream, check=True,
                               stdout=subprocess.DEVNULL)  # fmt: skip

        timed("seed: psql < file", psql, seconds)
    for name in ("seeded", "benched"):
        sql(f"DROP DATABASE {name}")
    in_odoo("import os; os.remove('/var/lib/odoo/bench.zip')")
    report(seconds)


def report(seconds: dict[str, float]) -> None:
    """The ratios that matter."""
    for what, against in (
        ("inv backup, first", "Odoo's own zip"),
        ("inv backup, first", "seed: pg_dump > file"),
        ("inv backup, 1 % in one place", "seed: pg_dump > file"),
        ("inv restore --to-database", "seed: psql < file"),
    ):
        print(f"{what} / {against}: {seconds[what] / seconds[against]:.2f}")


if __name__ == "__main__":
    main()
