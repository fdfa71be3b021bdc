"""`inv backup` and `inv restore` against what a user would do instead, as ratios.

On a platform that is up and may be thrown away, for it fills its database:
    .venv/bin/python benchmarks/backup.py [SCALE]
SCALE 1 is a database of about 1.7 GB (as a plain dump) in 8 tables and 20,000 files of
2.3 GB; 0.1 is a tenth of both. Everything is measured in turn, in one run. Peers: the seed's
pipe (`pg_dump > file`, `psql < file`; no attachments), Odoo's own zip and its restore, and
click-odoo-backupdb, which pip gets. Beside each figure is the load average at its end; a run
that began on a busy machine is called not valid.
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

import quiet

ROOT = Path(__file__).resolve().parents[1]
COMPOSE = ["docker", "compose"]
TABLES = [f"bench_{n}" for n in range(8)]
ROWS, FILES, FILE_BYTES = 5_000_000, 20_000, 118_000
BIN = "/var/lib/odoo/benchmark"
FIRST, DAILY = "inv backup, first", "inv backup, 1 % in one place"
RESTORE, DRILL = "inv restore --to-database", "inv backup.verify"
SEED, PSQL = "seed: pg_dump > file", "seed: psql < file"
ZIP, UNZIP, PEER = "Odoo's own zip", "Odoo's own restore", "click-odoo-backupdb"

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
_ODOO = """
import odoo, os
from odoo.service import db
odoo.tools.config.parse_config(['-c', '/run/odoo/odoo.conf', '--no-http'])
odoo.tools.config['list_db'] = True
"""
_ZIP = f"""{_ODOO}
with open('{BIN}/odoo.zip', 'wb') as stream:
    db.dump_db('odoo', stream, 'zip')
"""
_UNZIP = f"{_ODOO}\ndb.restore_db('byodoo', '{BIN}/odoo.zip')"
_PEER = f"""
import sys
sys.path.insert(0, '{BIN}')
from click_odoo_contrib.backupdb import main
main(['-c', '/run/odoo/odoo.conf', '--force', 'odoo', '{BIN}/peer.zip'])
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
    took = time.monotonic() - started
    results[what] = min(took, results.get(what, took))  # the seed's pipe runs twice
    print(
        f"{what:34} {took:7.1f} s   {memory.peak / 1e6:6.0f} MB   load {quiet.load():.1f}",
        flush=True,
    )
    return answer


def fill(scale: float) -> None:
    """A company of some years: tables with an index or two and a foreign key, as Odoo's."""
    each = int(ROWS * scale / len(TABLES))
    for table in TABLES:
        sql(f"DROP TABLE IF EXISTS {table}")
        sql(
            f"CREATE TABLE {table} AS SELECT n AS id, 1 + n % 2 AS partner_id, now() - n *"
            " interval '1 min' AS at, md5(n::text) AS ref, repeat('line of an order ', 8 + n % 7)"
            f" || md5((n*7)::text) AS note, n % 2 = 0 AS posted FROM generate_series(1, {each}) n"
        )
        sql(f"ALTER TABLE {table} ADD PRIMARY KEY (id), ADD FOREIGN KEY (partner_id) REFERENCES"
            f" res_partner; CREATE INDEX ON {table} (ref); ANALYZE {table}")  # fmt: skip
    in_odoo(_FILL, str(int(FILES * scale)), str(FILE_BYTES))


def touch(where: str) -> None:
    """Change the rows of every table for which `where` holds."""
    for table in TABLES:
        sql(f"UPDATE {table} SET note = note || '.' WHERE {where}")


def bring_peer() -> None:
    """click-odoo-contrib, put where Odoo's Python finds it, and nowhere else."""
    with tempfile.TemporaryDirectory() as folder:
        run(sys.executable, "-m", "pip", "install", "-q", "--target", folder, "click-odoo-contrib")
        in_odoo("import os, sys; os.makedirs(sys.argv[1], exist_ok=True)", BIN)
        container = run(*COMPOSE, "ps", "-q", "odoo").strip()
        archive = subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE)
        unpack = ["docker", "exec", "-i", "--user", "odoo", container, "tar", "-C", BIN, "-x"]
        subprocess.run(unpack, stdin=archive.stdout, check=True)
        archive.wait()


def backup() -> dict[str, float]:
    """`inv backup`, and its manifest."""
    manifest: dict[str, float] = json.loads(inv("backup", "--json"))
    added = manifest["added_bytes"] / 1e6
    print(f"{'':34} added {added:.0f} MB, guarded {manifest['guarded_seconds']} s")
    return manifest


def measure(scale: float, folder: Path) -> dict[str, float]:
    """Everything in turn; seconds by what was done."""
    seconds: dict[str, float] = {}
    dump = folder / "seed.sql"
    os.environ["BACKUP_FOLDER"] = str(folder / "repository")  # so that the first is the first

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
    print(f"{'':34} {dump.stat().st_size / 1e6:.0f} MB")
    timed(FIRST, backup, seconds)
    timed("inv backup, unchanged", backup, seconds)
    touch(f"id <= {int(ROWS * scale / len(TABLES) / 100)}")
    timed(DAILY, backup, seconds)
    touch("id % 100 = 3")
    timed("inv backup, 1 % scattered", backup, seconds)
    timed(SEED, seed, seconds)
    timed(ZIP, lambda: in_odoo(_ZIP), seconds)
    timed(PEER, lambda: in_odoo(_PEER), seconds)
    timed(RESTORE, lambda: inv("restore", "--to-database", "benched", "--yes"), seconds)
    timed(DRILL, lambda: inv("backup.verify"), seconds)
    sql("CREATE DATABASE seeded TEMPLATE template0")
    timed(PSQL, psql, seconds)
    timed(UNZIP, lambda: in_odoo(_UNZIP), seconds)
    return seconds


def main() -> None:
    """Fill, measure, tidy, print."""
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    at_start = quiet.begin()
    fill(scale)
    bring_peer()
    try:
        with tempfile.TemporaryDirectory(dir=ROOT) as folder:
            report(measure(scale, Path(folder)))
    finally:
        for name in ("seeded", "benched", "byodoo"):
            sql(f"DROP DATABASE IF EXISTS {name}")
        in_odoo("import shutil, sys; [shutil.rmtree(p, True) for p in sys.argv[1:]]", BIN,
                *(f"/var/lib/odoo/filestore/{name}" for name in ("benched", "byodoo")))  # fmt: skip
    print(quiet.verdict(at_start))


def report(seconds: dict[str, float]) -> None:
    """The ratios that matter."""
    for what, against in (
        (FIRST, ZIP), (FIRST, PEER), (FIRST, SEED), (DAILY, SEED), (RESTORE, PSQL),
        (RESTORE, UNZIP), (DRILL, UNZIP),
    ):  # fmt: skip
        print(f"{what} / {against}: {seconds[what] / seconds[against]:.2f}")


if __name__ == "__main__":
    main()
