"""A throw-away server with the databases as they were at a moment."""

import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from toolbox.archive import pgbackrest
from toolbox.contract.archive import TIME, TRANSACTION, ArchiveInfo, BaseBackup
from toolbox.core import disk_space
from toolbox.core.errors import Failure
from toolbox.core.progress import say
from toolbox.core.text import last_line

FOLDER = Path("/recovery")  # a volume
DATA = FOLDER / "data"
_LOG, _HBA = FOLDER / "server.log", FOLDER / "hba.conf"
_SUMS = FOLDER / "checksums"
_WAL_BYTES = 1 << 30  # of room for WAL on its way, beside the base backup
_LOOK = 0.2
# pgBackRest ends with 1 where there is no such file, and with 25 or more for all else: what is
# damaged or out of reach. PostgreSQL takes any number for the end of the log, but those above 125.
_UNLESS_ABSENT = "{ [ $? -eq 1 ] && exit 1; exit 127; }"
_LOOKED_TOO_EARLY = "the database system is"  # … starting up
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
def recovered(
    archive: ArchiveInfo, moment: Moment, require_end: Callable[[BaseBackup], None]
) -> Iterator[Scratch]:
    """A server of `archive` as of `moment`; its files are gone afterwards.

    `require_end` is called with the base backup where the archive ends before the moment. It
    raises Failure if that is not the end of what the server has written.
    """
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
                        "It is older than the first base backup, in a gap (inv backup.archive), or"
                        " a part of another one: a savepoint has a number of its own.",
                    )
                # Nothing was committed after that moment, as far as the archive goes.
                reached = False
                require_end(base)
                _without_target()
                server = _start()
                if not _comes_up(server):
                    raise Failure(f"the log cannot be replayed: {_reason()}")
            if not moment.text:
                require_end(base)
            last = _last_commit()
            if not reached and last > moment.text:
                raise Failure(f"what was replayed goes on to {last}, past the moment")
            yield Scratch(reached, last)
        finally:
            _stop(server)
    finally:
        discard()


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
    get = pgbackrest.command("archive-get", f"--pg1-path={DATA}", name=name, user=())
    _SUMS.write_text("".join(f"{each} {sha1}\n" for each, sha1 in pgbackrest.checksums(name)))
    _SUMS.chmod(0o644)
    _set("restore_command", f"{shlex.join(get)} %f %p || {_UNLESS_ABSENT}; {verified(_SUMS)}")


def verified(sums: Path) -> str:
    """A shell command that fails where the content of a segment is not that of its checksum.

    pgBackRest compares it in `verify` only. What decompresses to something else would be taken by
    PostgreSQL for the end of the log, and transactions behind it would be missing without a word.
    `sums` has a line for each segment; one that came later is in none.
    """
    known, right = f'grep -q "^%f " {sums}', f'grep -q "^%f $(sha1sum <%p | cut -c1-40)$" {sums}'
    said = "P00  ERROR: [082]: segment %f of WAL is damaged: its checksum is another one"
    return f'! {known} || {right} || {{ echo "{said}" >&2; exit 127; }}'


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
    said = _LOG.read_text(errors="replace")
    if _ENDED_BEFORE in said:
        return False
    if " ERROR: [" in said:
        raise pgbackrest.failure(said, server.returncode)
    raise Failure(f"the databases of that moment do not start: {_reason()}")


def _connect(database: str = "postgres") -> Any:
    return psycopg2.connect(host=str(FOLDER), user="postgres", dbname=database, connect_timeout=5)


def _reason() -> str:
    lines = _LOG.read_text(errors="replace").splitlines()
    telling = [
        line
        for line in lines
        if re.search("FATAL|PANIC|ERROR", line) and _LOOKED_TOO_EARLY not in line
    ]
    return (telling or lines or ["it gave no reason"])[0].partition("] ")[2] or last_line(
        "\n".join(telling or lines)
    )


def _without_target() -> None:
    """Have it end with the WAL that it has: meanwhile the archive may go on past the moment."""
    _set("recovery_target_time", "")
    _set("restore_command", "false")


def _set(name: str, value: str) -> None:
    quoted = value.replace("'", "''")
    with (DATA / "postgresql.auto.conf").open("a") as stream:
        stream.write(f"{name} = '{quoted}'\n")


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
