"""The service `archiver`: WAL, base backups and attachments, as they come.

Three parts work side by side, so that a base backup of an hour keeps no WAL waiting. While it
lives it holds a lock on a file, by which postgres/archive-wal knows that somebody is there.
"""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from toolbox.archive import files, gaps, memory, passphrase, pgbackrest, queue, status
from toolbox.archive.bases import Bases
from toolbox.archive.places import NAME, REPOSITORY, SEGMENT, STATE, STATUS
from toolbox.archive.server import Server
from toolbox.archive.worker import Worker
from toolbox.backup import owner, repository, restic
from toolbox.contract.archive import ArchiveStatus
from toolbox.core.errors import Failure
from toolbox.core.progress import log

ALIVE = STATE / "alive"
_LOOK = 0.1  # seconds between two looks for WAL
_STATUS_SECONDS = 5.0
_BASE_SECONDS, _BASE_AGAIN = 30.0, 60.0
_START_AGAIN, _PUSH_AGAIN = 5.0, 2.0
_SEGMENT_NAME = 24  # digits
_BEGIN_SECONDS = 60.0
_DELAY_SECONDS = 20.0
_DAY = 24 * 3600.0
_GIGABYTE = 1 << 30
_PUSH, _FILES = 0, 1  # of the workers


class Archiver:
    """What it works on, and what it knows."""

    def __init__(self) -> None:
        self._days = int(os.environ.get("BACKUP_DAYS") or 14)
        self._limit = int(float(os.environ.get("BACKUP_QUEUE") or 8) * _GIGABYTE)
        self._timeout = 30.0
        self._recall()
        self._server = Server()
        self._failed: list[str] = []
        self._name = self._repository = ""
        self._bases = Bases("", self._covered)
        self._workers: list[Worker] = []

    def _recall(self) -> None:
        """What an earlier run has written of this repository."""
        earlier = status.earlier()
        self._pushed = earlier.pushed
        # At once in a file of its own: what is forgotten here looks like a gap.
        self._segment = SEGMENT.read_text().strip() if SEGMENT.is_file() else earlier.segment
        self._until, self._files_until = earlier.until, earlier.files_until
        self._begins, self._base = earlier.begins, earlier.base

    def run(self) -> None:
        """Work until the container is stopped."""
        deadline = time.monotonic() + _BEGIN_SECONDS
        while not self._begin():
            if time.monotonic() > deadline:
                # Docker starts it again: with a disk that has been mounted meanwhile.
                raise Failure(f"archiving cannot begin: {status.earlier().problem}")
            time.sleep(_START_AGAIN)
        with ALIVE.open("a") as alive:
            fcntl.flock(alive, fcntl.LOCK_EX)
            queue.clear()
            self._workers = [
                Worker("archiving WAL", self._push, _LOOK, again=_PUSH_AGAIN),
                Worker("saving attachments", self._save_files, files.SECONDS),
                Worker("base backups", self._bases.work, _BASE_SECONDS, _BASE_AGAIN),
            ]
            for worker in self._workers:
                worker.start()
            while self._belongs():
                # The disk is full, perhaps of WAL: to go on is what makes room.
                with suppress(OSError):
                    self._tell(*self._problem())
                    queue.clear_stale()
                time.sleep(_STATUS_SECONDS)
        raise Failure("the repository of backups is another one than it was")

    def _begin(self) -> bool:
        """Whether all is there that archiving needs."""
        try:
            with self._telling_of_delay():
                self._name = self._identify()
                existing = REPOSITORY.is_file()
                given = passphrase.find_or_make(existing=existing)
                self._repository = repository.identity()
                memory.belongs_to(self._repository, self._name)
                self._recall()
                owner.apply()
                pgbackrest.configure(self._name, given, days=self._days)
                pgbackrest.run("stanza-create", name=self._name)
                self._require_continuity()
        except Failure as error:
            self._tell(error.message, error.hint)
            log(f"error: {error.message}")
            return False
        self._bases = Bases(self._name, self._covered)
        return True

    @contextmanager
    def _telling_of_delay(self) -> Iterator[None]:
        """Tell now and then that the repository has not answered, while the block lasts."""
        done = threading.Event()

        def tell() -> None:
            while not done.wait(_DELAY_SECONDS):
                with suppress(OSError):
                    self._tell("the repository of backups does not answer", "See BACKUP_REPOSITORY")

        threading.Thread(target=tell, daemon=True).start()
        try:
            yield
        finally:
            done.set()

    def _belongs(self) -> bool:
        """Whether this is still the repository with which it began; one that is away is."""
        with suppress(OSError):
            return repository.identity() == self._repository
        return True

    def _require_continuity(self) -> None:
        """Note a gap before anything is told, if WAL was lost while it did not run."""
        [current] = self._server.ask("SELECT pg_walfile_name(pg_current_wal_lsn())")
        if self._begins and gaps.lost_since(self._segment, current):
            gaps.begin(*self._covered(), f"WAL after {self._segment} was not archived here")

    def _identify(self) -> str:
        """The name of the archive: of this project, and of this very database cluster."""
        mode, timeout, number = self._server.ask(
            "SELECT current_setting('archive_mode'), extract(epoch FROM"
            " current_setting('archive_timeout')::interval)::int,"
            " (SELECT system_identifier FROM pg_control_system())"
        )
        if mode == "off":
            raise Failure("PostgreSQL does not archive yet", "It wants a restart: inv up")
        self._timeout = float(timeout) or 3600.0
        name = f"{os.environ.get('PROJECT') or 'postgres'}-{number}"
        # A project that is renamed goes on with its archive.
        known = NAME.read_text().strip() if NAME.is_file() else ""
        if known.rpartition("-")[2] == str(number):
            return known
        status.write(NAME, name + "\n")
        return name

    def _push(self) -> None:
        # PostgreSQL asks three times and then waits for a minute; what has failed is tried here
        # meanwhile, so that it is known whether it still fails, and done when it asks again.
        for name in queue.wanted() or [n for n in self._failed if queue.is_ready(n)]:
            try:
                written = queue.file(name).stat().st_mtime
                pgbackrest.run("archive-push", str(queue.file(name)), name=self._name)
            except (Failure, OSError) as error:
                self._failed = [name]
                queue.failed(name, str(error))
                raise
            self._failed = []
            if len(name) == _SEGMENT_NAME:
                if not gaps.follows(name, self._segment):
                    gaps.begin(
                        *self._covered(), f"there is no WAL between {self._segment} and {name}"
                    )
                self._segment = name
                # On a disk that is full of WAL, the answer below is what makes room.
                with suppress(OSError):
                    status.write(SEGMENT, name + "\n")
                self._until = max(self._until, pgbackrest.iso(written))
            queue.done(name)
            self._pushed = pgbackrest.iso(time.time())

    def _save_files(self) -> None:
        if self._workers[_FILES].problem:  # perhaps the lock of a program that was killed
            restic.unlock()
        self._files_until = pgbackrest.iso(files.save_all(self._name, self._days))

    def _problem(self) -> tuple[str, str]:
        """The first there is. Without PostgreSQL nothing is written that could be lost."""
        told = [(worker.problem, worker.hint) for worker in self._workers if worker.problem]
        return told[0] if told else ("", "")

    def _tell(self, problem: str, hint: str) -> None:
        waiting, bases = queue.waiting(), self._bases.known
        now = time.time()
        if self._workers and not waiting and not self._workers[_PUSH].problem:
            self._advance(now)
        if bases is not None:
            self._begins, self._base = (bases[0].ends, bases[-1]) if bases else ("", None)
            gaps.forget(self._begins)
        missing = gaps.known()
        # A base backup is kept until the next full one is old enough; files are not.
        oldest = pgbackrest.iso(now - self._days * _DAY)
        found = ArchiveStatus(
            time=pgbackrest.iso(now),
            archive=self._name,
            problem=problem,
            hint=hint,
            begins=max(self._begins, oldest) if self._begins else "",
            until=missing[-1].begins if gaps.is_open() else self._covered()[0],
            files_until=self._files_until,
            pushed=self._pushed,
            segment=self._segment,
            waiting=waiting,
            waiting_bytes=waiting * queue.SEGMENT_BYTES,
            limit_bytes=self._limit,
            base=self._base,
            gaps=missing,
        )
        status.tell(found)

    def _covered(self) -> tuple[str, str]:
        """Up to when all is archived, and the last segment."""
        return self._until, self._segment

    def _advance(self, now: float) -> None:
        """With no segment waiting, all is archived but for what the open one has.

        PostgreSQL closes a segment in which something was written after `archive_timeout`. One
        that was left by a crash is closed so long after the start.
        """
        with suppress(Failure):
            [up] = self._server.ask(
                "SELECT extract(epoch FROM now() - pg_postmaster_start_time())::float"
            )
            if up > self._timeout:
                self._until = pgbackrest.iso(now - self._timeout)


def idle() -> None:
    """Nothing is archived: so that BACKUP_CONTINUOUS can be switched off in .env alone."""
    log("BACKUP_CONTINUOUS is off: nothing is archived")
    if (earlier := status.earlier()).begins:
        gaps.begin(earlier.until, earlier.segment, "archiving was switched off")
    STATUS.unlink(missing_ok=True)
    while True:
        time.sleep(3600)
