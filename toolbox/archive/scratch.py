"""A throw-away server with the databases as they were at a moment."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg2

from toolbox.archive import gaps, pgbackrest
from toolbox.contract.archive import TIME, TRANSACTION, ArchiveInfo, BaseBackup
from toolbox.core import disk_space
from toolbox.core.errors import Failure, require_none
from toolbox.core.progress import say
from toolbox.core.text import last_line

FOLDER = Path("/recovery")  # a volume
DATA = FOLDER / "data"
_LOG, _HBA = FOLDER / "server.log", FOLDER / "hba.conf"
_WAL_BYTES = 1 << 30  # of room for WAL on its way, beside the base backup
_LOOK = 0.2
_ENDED_BEFORE = "recovery ended before configured recovery target was reached"
_RIGHTS = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
# As the user of PostgreSQL, with the one right to read a repository of somebody else.
_POSTGRES = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *_RIGHTS]
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_directories": str(FOLDER),
    "hba_file": str(_HBA),
    "archive_mode": "off",
    "hot_standby": "off",  # or it would want as much of everything as the server had
    "shared_preload_libraries": "",
    "shared_buffers": "128MB",
    "max_connections": "20",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_min_messages": "warning",
    "ssl": "off",
}


@dataclass(frozen=True)
class Moment:
    """What is wanted: a time (ISO 8601), the number of a transaction, or, if empty, the last."""

    kind: str = TIME
    text: str = ""
    exclusive: bool = False  # before that transaction


@dataclass(frozen=True)
class Scratch:
    """A server that runs; `environment` leads to it."""

    reached: bool  # False: the archive ends before the moment
    last_commit: str

    @property
    def environment(self) -> dict[str, str]:
        """For libpq."""
        return {"PGHOST": str(FOLDER), "PGPORT": "5432"}

    @contextmanager
    def used(self) -> Iterator[None]:
        """While the block lasts, all connections of this process and its programs go to it."""
        before = {name: os.environ.get(name) for name in self.environment}
        os.environ.update(self.environment)
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def recovered(archive: ArchiveInfo, moment: Moment) -> Iterator[Scratch]:
    """A server of `archive` as of `moment`; its files are gone afterwards."""
    base = _base(archive, moment)
    _require_version(archive)
    disk_space.require([(FOLDER, base.bytes + _WAL_BYTES)], "the databases of that moment")
    discard()
    try:
        say("restoring the files of the server")
        _restore(archive.name, base, moment)
        say("replaying the log up to that moment")
        server, reached = _start(), True
        try:
            if not _comes_up(server):
                if moment.kind == TRANSACTION:
                    raise Failure(
                        f"transaction {moment.text} was not found in the archive",
                        "It is older than the first base backup, or in a gap: inv backup.archive",
                    )
                # Nothing was committed after that moment, as far as the archive goes.
                reached = False
                _without_target()
                server = _start()
                if not _comes_up(server):
                    raise Failure(f"the log cannot be replayed: {_reason()}")
            if not reached or not moment.text:
                _require_end(archive, base)
            yield Scratch(reached, _last_commit())
        finally:
            _stop(server)
    finally:
        discard()


def _require_end(archive: ArchiveInfo, base: BaseBackup) -> None:
    """Raises Failure if what was replayed ends where segments are missing, not with the archive."""
    later = archive.bases[archive.bases.index(base) :]
    require_none(
        "segments of WAL are missing in the archive, and nothing after them can be restored",
        gaps.missing(pgbackrest.segments(archive.name), replace(archive, bases=later)),
        "Choose a moment before them, or one after the next base backup: inv backup.archive",
    )


def discard() -> None:
    """Remove what a run that was killed has left, too."""
    shutil.rmtree(DATA, ignore_errors=True)
    for place in (_LOG, _HBA):
        place.unlink(missing_ok=True)


def _base(archive: ArchiveInfo, moment: Moment) -> BaseBackup:
    """The last base backup that surely ends before the moment."""
    if not archive.bases:
        raise Failure(f"there is no base backup in the archive {archive.name} yet")
    if not moment.text:
        return archive.bases[-1]
    if moment.kind == TRANSACTION:
        # One that is older leads there, too, unless there is a gap between.
        later = [b for b in archive.bases if 0 < b.next_transaction <= int(moment.text)]
        return later[-1] if later else archive.bases[0]
    before = [base for base in archive.bases if base.ends <= moment.text]
    if not before:
        raise Failure(
            f"{moment.text} is before the first moment that can be restored",
            f"That is {archive.bases[0].ends}. See: inv backup.archive",
        )
    return before[-1]


def _require_version(archive: ArchiveInfo) -> None:
    said = subprocess.run(["postgres", "--version"], capture_output=True, text=True, check=True)
    ours = said.stdout.split()[-1].split(".")[0]
    if archive.postgresql and archive.postgresql != ours:
        raise Failure(
            f"the archive is of PostgreSQL {archive.postgresql}, and the image of backups has"
            f" {ours}",
            "Set BACKUP_BASE_IMAGE in .env to one of that version, then run: inv images",
        )


def _restore(name: str, base: BaseBackup, moment: Moment) -> None:
    DATA.mkdir(mode=0o700, parents=True)
    shutil.chown(DATA, "postgres", "postgres")
    wanted: list[str] = []
    if moment.text:
        wanted = [f"--type={moment.kind}", f"--target={moment.text}", "--target-action=promote"]
        wanted += ["--target-exclusive"] if moment.exclusive else []
    argv = pgbackrest.command(
        "restore",
        f"--set={base.label}",
        f"--pg1-path={DATA}",
        *(wanted or ["--type=default"]),
        name=name,
        user=_POSTGRES,
    )
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise pgbackrest.failure(done.stdout + done.stderr, done.returncode)


def _start() -> subprocess.Popen[bytes]:
    FOLDER.chmod(0o755)
    shutil.chown(FOLDER, "postgres", "postgres")
    _HBA.write_text("local all all trust\n")
    _HBA.chmod(0o644)
    options = [part for key, value in _SETTINGS.items() for part in ("-c", f"{key}={value}")]
    with _LOG.open("wb") as log:
        return subprocess.Popen(
            [*_POSTGRES, "postgres", "-D", str(DATA), *options],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )


def _comes_up(server: subprocess.Popen[bytes]) -> bool:
    """Whether it does; False where the archive ends before the moment.

    Raises Failure for any other end of the server.
    """
    with disk_space.Watch([FOLDER], server.terminate):
        while server.poll() is None:
            with suppress(psycopg2.OperationalError), closing(_connect()):
                return True
            time.sleep(_LOOK)
    if _ENDED_BEFORE in _LOG.read_text(errors="replace"):
        return False
    raise Failure(f"the databases of that moment do not start: {_reason()}")


def _connect(database: str = "postgres") -> Any:
    return psycopg2.connect(host=str(FOLDER), user="postgres", dbname=database, connect_timeout=5)


def _reason() -> str:
    lines = _LOG.read_text(errors="replace").splitlines()
    telling = [line for line in lines if "FATAL" in line or "PANIC" in line or "ERROR" in line]
    return (telling or lines or ["it gave no reason"])[0].partition("] ")[2] or last_line(
        "\n".join(telling or lines)
    )


def _without_target() -> None:
    with (DATA / "postgresql.auto.conf").open("a") as stream:
        for name in ("time", "xid"):
            stream.write(f"recovery_target_{name} = ''\n")


def _last_commit() -> str:
    with closing(_connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM pg_last_xact_replay_timestamp())::float8")
        seconds = cursor.fetchone()[0]
    return "" if seconds is None else pgbackrest.iso(seconds)


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate() if server.poll() is None else None
    with suppress(subprocess.TimeoutExpired):
        # SIGINT would be a shutdown that writes all to disk; nobody wants these files again.
        server.kill() if server.poll() is None else None
        server.wait(10)
