"""Restoring one database as it was at a moment, beside what is live."""

import re
import subprocess
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from toolbox.archive import files, gaps, passphrase, pgbackrest, places, scratch, status
from toolbox.archive.scratch import Moment
from toolbox.backup import contents, pg_restore, restic, restore, saved_files, swap
from toolbox.backup.restore import Target
from toolbox.contract.archive import (
    TIME,
    ArchiveCheck,
    ArchiveInfo,
    BaseBackup,
    Gap,
    StagedMoment,
)
from toolbox.contract.backups import Manifest, SavedDump, SavedFiles
from toolbox.contract.messages import NO_SUCH_DATABASE
from toolbox.core import filestore, postgres, properties
from toolbox.core.errors import Failure, require_none
from toolbox.core.progress import note, say
from toolbox.core.text import last_line, now

_DAYS = 14  # nothing is removed here
_DAMAGE = r"(missing|checksum invalid|size invalid|other): [1-9]|status: (?!valid)"
_BEHIND = "No moment between them and the next base backup can be restored: inv backup.archive"
_CATCH_UP_SECONDS = 20.0  # what takes longer is not waited for


def open_archives() -> list[ArchiveInfo]:
    """All in the repository, that of this server last."""
    restic.require_key()
    pgbackrest.configure("unknown", passphrase.find(), days=_DAYS)
    own = own_name()
    found = sorted(pgbackrest.archives(), key=lambda archive: archive.name == own)
    for archive in found:
        pgbackrest.configure(archive.name, passphrase.find(), days=_DAYS)
    return found


def own_name() -> str:
    """The archive of the server of this installation; '' if it has none."""
    return places.NAME.read_text().strip() if places.NAME.is_file() else ""


def choose(wanted: str) -> ArchiveInfo:
    """The archive named `wanted`, by a unique beginning; else that of this server, or the only one.

    The configuration is for that one afterwards.
    """
    found = [archive for archive in open_archives() if archive.bases]
    if wanted:
        fitting = [archive for archive in found if archive.name.startswith(wanted)]
    else:
        fitting = [archive for archive in found if archive.name == own_name()] or found
    if len(fitting) != 1:
        known = ", ".join(archive.name for archive in found) or "none"
        what = "no archive fits" if not fitting else "several archives are there"
        raise Failure(f"{what}: {known}", "Choose one: --archive NAME")
    pgbackrest.configure(fitting[0].name, passphrase.find(), days=_DAYS)
    return fitting[0]


def stage(wanted: str, moment: Moment, database: str, target: Target, odoo: str) -> StagedMoment:
    """Make the database and filestore of `target`, as `database` was at `moment`."""
    began = time.monotonic()
    with restore.staging(target.name, target.data):
        archive = choose(wanted)
        own = archive.name == own_name()
        complete = not own or _catch_up()
        if own and moment.kind == TIME:
            gaps.require_none_at(moment.text)

        def require_end(base: BaseBackup) -> None:
            if not complete:
                raise Failure(
                    "the WAL of that moment is not archived yet",
                    "See: inv health --only archiving",
                )
            _require_whole(archive, base)

        with scratch.recovered(archive, moment, require_end) as server:
            with server.used():
                manifest = _describe(archive, moment, database)
                restore.require_space(manifest, target.live, target.data)
                say("saving the database of that moment")
                _dump(database)
            recovery = time.monotonic() - began
        missing = restore.fill(
            manifest,
            target,
            _sources(archive.name, database, moment),
            lambda told: pg_restore.fill(
                pg_restore.DUMP,
                target.name,
                manifest.roles,
                lambda: manifest.functions,
                told=told,
            ),
        )
        restore.require_same_odoo(manifest.odoo, odoo)
        lost = dict.fromkeys(sorted(missing), saved_files.MISSING)
        manifest = replace(manifest, files=replace(manifest.files, lost=lost))
        return StagedMoment(
            **vars(manifest),
            databases=swap.present(),
            missing_files=len(missing),
            moment=moment.text,
            reached=server.reached,
            last_commit=server.last_commit,
            recovery_seconds=round(recovery, 1),
        )


def _require_whole(archive: ArchiveInfo, base: BaseBackup) -> None:
    """Raises Failure if segments are missing after `base`: nothing behind them was replayed."""
    later = archive.bases[archive.bases.index(base) :]
    require_none(
        "segments of WAL are missing in the archive, and nothing after them can be restored",
        gaps.missing(
            pgbackrest.segments(archive.name), replace(archive, bases=later), _gaps(archive)
        ),
        "Choose a moment before them, or one after the next base backup: inv backup.archive",
    )


def _gaps(archive: ArchiveInfo) -> Sequence[Gap]:
    """Those that are known of it: of another server's archive, none."""
    return gaps.known() if archive.name == own_name() else ()


def _describe(archive: ArchiveInfo, moment: Moment, database: str) -> Manifest:
    """What the database says of itself, as a backup of that moment would."""
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        if not postgres.exists(cursor, database):
            raise Failure(f"{NO_SUCH_DATABASE} {database!r}")
    with closing(postgres.connect(database)) as connection:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        about = contents.describe(connection)
        wanted = contents.wanted_files(connection)
        return Manifest(
            **vars(about),
            id=f"{database}@{moment.text or 'latest'}",
            created=now(),
            installation=archive.name,
            database=database,
            rows=contents.row_counts(connection),
            dump=SavedDump(bytes=contents.estimated_dump(connection)),
            files=SavedFiles(
                count=len(wanted),
                bytes=sum(size or 0 for size, _ in wanted.values()),
                digest=filestore.digest(wanted),
            ),
            properties=properties.read(connection),
            large_objects=properties.large_objects(connection),
            functions=properties.changeable(properties.functions(connection)),
        )


def _dump(database: str) -> None:
    """Into the file that pg_restore reads."""
    argv = ["pg_dump", "--format=custom", "--compress=none", "--no-password"]
    argv += [f"--dbname={database}", f"--file={pg_restore.DUMP}"]
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise Failure(f"pg_dump failed: {last_line(done.stderr)}")


def _sources(archive: str, database: str, moment: Moment) -> Sequence[str]:
    """Snapshots that have the files of the moment, as restic names them.

    The first of all files after it; the last one, as those that nobody names any more stay for
    longer than moments are kept; and the last of those that have come since.
    """

    def taken(kind: str) -> list[tuple[datetime, str]]:
        # All of one snapshot: restic takes tags with a comma between for one condition.
        tagged = restic.snapshots(",".join(files.tags(archive, database, kind)))
        return sorted((datetime.fromisoformat(s["time"]), str(s["id"])) for s in tagged)

    chosen: list[str] = []
    if whole := taken(files.WHOLE):
        when = moment.text if moment.kind == TIME else ""
        after = [s for at, s in whole if when and at > datetime.fromisoformat(when)]
        recent = [s for at, s in taken(files.RECENT)[-1:] if at > whole[-1][0]]
        chosen = [*after[:1], whole[-1][1], *recent]
    return [f"{s}:{filestore.folder(database)}" for s in dict.fromkeys(chosen)]


def _catch_up() -> bool:
    """Have what was written until now archived; whether it is.

    Of a server that does not run, what its archiver has told last counts.
    """
    if _ask("SHOW archive_mode") == "off":  # what was not archived before that is a known gap
        return True
    # A transaction with a number of its own: recovery knows by it that the moment has passed.
    if not _ask("SELECT pg_current_xact_id()"):
        return not status.earlier().waiting
    segment = _ask("SELECT pg_walfile_name(pg_switch_wal())")
    deadline = time.monotonic() + _CATCH_UP_SECONDS
    query = f"SELECT 1 FROM pg_stat_archiver WHERE last_archived_wal >= '{segment}'"
    while not (archived := _ask(query)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return bool(archived)


def _ask(query: str) -> str:
    """The server's answer, by its socket; '' where there is none."""
    argv = ["psql", "-XqtA", "-h", str(places.SOCKET), "-U", "postgres", "-d", "postgres"]
    done = subprocess.run(
        [*argv, "-c", query], capture_output=True, text=True, check=False, timeout=30
    )
    return done.stdout.strip()


def check(*, thorough: bool) -> ArchiveCheck:
    """Whether base backups and WAL are there; with `thorough`, every byte is read.

    Raises Failure where one is damaged or missing.
    """
    found, count = [archive for archive in open_archives() if archive.bases], 0
    for archive in found:
        pgbackrest.configure(archive.name, passphrase.find(), days=_DAYS)
        segments = pgbackrest.segments(archive.name)
        missing = gaps.missing(segments, archive, _gaps(archive))
        if archive.name == own_name():
            require_none("segments of WAL are missing in the archive", missing, _BEHIND)
        elif missing:  # when its server had archiving off, perhaps
            note(f"{len(missing)} segments of WAL are missing in the archive {archive.name}")
        if thorough:
            _verify(archive.name)
        count += len(segments)
    return ArchiveCheck(archives=len(found), bases=sum(len(a.bases) for a in found), segments=count)


def _verify(name: str) -> None:
    """Raises Failure where pgBackRest finds damage; it ends with 0 all the same."""
    said = pgbackrest.run("verify", "--output=text", "--verbose", name=name)
    if re.search(r"^status: ok$", said, re.MULTILINE):
        return
    wrong = [line.strip() for line in said.splitlines() if re.search(_DAMAGE, line)]
    raise Failure(
        f"the archive {name} is damaged: {'; '.join(wrong) or 'it cannot be read'}",
        "What is damaged cannot be restored. The archiver makes the next base backup within a"
        " day; take a backup now: inv backup",
    )


def discard(name: str, data: Path) -> dict[str, Any]:
    """Take away what a run that was killed has left."""
    scratch.discard()
    return dict(swap.exclusively(lambda: swap.discard(name, data)))
