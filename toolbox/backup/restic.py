"""The repository: all calls of restic, and what its snapshots mean.

A backup is a set of three snapshots with one tag `set=ID`: the files, the dump, and
last the manifest. A set without its manifest is no backup, and is not listed.
"""

import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from toolbox.contract.backups import Manifest, Parts, StoredBackup
from toolbox.contract.codec import from_json
from toolbox.core import progress
from toolbox.core.errors import Failure
from toolbox.core.text import last_line

KEY = Path("/run/secrets/backup_key")
LOCAL = Path("/repository")
CACHE = Path("/var/cache/platform")  # a volume: restic's cache, and space for one dump
NO_FILES = "/no-files"  # in a set of a database that has none: three parts it always has
CREDENTIALS = Path("/run/backup-credentials")  # secrets/backup/: for a remote repository
NO_REPOSITORY, LOCKED, WRONG_KEY = 10, 11, 12
PARTS = ("files", "database", "manifest")


class NoRepository(Failure):
    """There is no repository in that place."""


def environment(key: Path = KEY) -> dict[str, str]:
    own = {
        "RESTIC_REPOSITORY": os.environ.get("BACKUP_REPOSITORY", str(LOCAL)),
        "RESTIC_PASSWORD_FILE": str(key),
        "RESTIC_CACHE_DIR": str(CACHE / "restic"),
        "RESTIC_PROGRESS_FPS": "1" if progress.wanted() else "0.01",
        "TMPDIR": str(CACHE),
        # Go gives memory back late; the limit of the container is low on purpose.
        "GOGC": "40",
    }
    files = {"AWS_SHARED_CREDENTIALS_FILE": "aws", "RCLONE_CONFIG": "rclone.conf"}
    for variable, name in files.items():
        if (CREDENTIALS / name).is_file():
            own[variable] = str(CREDENTIALS / name)
    named = CREDENTIALS / "environment"
    lines = named.read_text(encoding="utf-8-sig").splitlines() if named.is_file() else []
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {**os.environ, **own, **{name.strip(): value.strip() for name, _, value in pairs}}


def command(*arguments: str) -> list[str]:
    options = ["--retry-lock", "1m"]
    if (CREDENTIALS / "ssh_key").is_file():
        known = CREDENTIALS / "known_hosts"
        ssh = f"-i {CREDENTIALS / 'ssh_key'} -o UserKnownHostsFile={known} -o BatchMode=yes"
        options += ["-o", f"sftp.args={ssh}"]
    return ["restic", *options, *arguments]


def start(*arguments: str, **streams: Any) -> subprocess.Popen[bytes]:
    """A restic whose streams the caller reads or writes."""
    return subprocess.Popen(command(*arguments), env=environment(), **streams)


def run(*arguments: str, stdin: bytes = b"", accept: Sequence[int] = (0,), key: Path = KEY) -> str:
    """What restic prints; raises Failure with the reason it gives if it fails."""
    done = subprocess.run(
        command(*arguments), env=environment(key), input=stdin, capture_output=True, check=False
    )
    if done.returncode not in accept:
        raise failure(done.returncode, done.stderr.decode(errors="replace"))
    return done.stdout.decode()


def failure(code: int, errors: str) -> Failure:
    """The reason for exit code `code`, for people."""
    if code == WRONG_KEY:
        return Failure(
            "the key in secrets/backup_key.txt does not open this repository",
            "Put the key that `inv backup.key` once printed into that file.",
        )
    if code == NO_REPOSITORY:
        return NoRepository(
            "there is no repository of backups in that place",
            "The first `inv backup` makes one; see BACKUP_REPOSITORY and BACKUP_FOLDER.",
        )
    if code == LOCKED:
        return Failure(
            "another program works on the repository",
            "Wait for it to end. The lock of one that was killed goes after 30 minutes.",
        )
    return Failure(f"restic failed with exit code {code}: {_reason(errors)}")


def _reason(errors: str) -> str:
    lines = []
    for line in errors.splitlines():
        try:
            message = json.loads(line)
        except ValueError:
            lines.append(line.strip())
            continue
        text = message.get("message") or message.get("error", {})
        lines.append(text if isinstance(text, str) else text.get("message", ""))
    for telling in ("no space", "subprocess ssh", "Fatal"):  # the cause before its effect
        if found := [line for line in lines if telling in line]:
            return found[-1]
    return ([line for line in lines if line] or ["it gave no reason"])[-1]


def require_key() -> None:
    """Make sure that there is a key."""
    if not KEY.is_file() or not KEY.read_text(encoding="utf-8-sig").strip():
        raise Failure("secrets/backup_key.txt cannot be read", "Run: inv secrets")


def is_remote() -> bool:
    """Whether the repository is on another machine."""
    return os.environ.get("BACKUP_REPOSITORY", str(LOCAL)) != str(LOCAL)


def snapshots(*tags: str) -> list[dict[str, Any]]:
    chosen = [part for tag in tags for part in ("--tag", tag)]
    found: list[dict[str, Any]] = json.loads(run("snapshots", "--json", "--no-lock", *chosen))
    return found


def sets(of: Sequence[dict[str, Any]] | None = None) -> list[StoredBackup]:
    """The complete backups (of the snapshots `of`, where they are known), the oldest first."""
    groups: dict[str, dict[str, dict[str, Any]]] = {}
    for snapshot in snapshots() if of is None else of:
        tags = _tags(snapshot)
        if "set" in tags and tags.get("part") in PARTS:
            groups.setdefault(tags["set"], {})[tags["part"]] = snapshot
    complete = {name: parts for name, parts in groups.items() if set(parts) == set(PARTS)}
    return sorted((_set(name, parts) for name, parts in complete.items()), key=lambda s: s.id)


def _set(name: str, parts: dict[str, dict[str, Any]]) -> StoredBackup:
    tags = _tags(parts["manifest"])
    summaries = {part: snapshot.get("summary", {}) for part, snapshot in parts.items()}
    total = [summaries[part].get("total_bytes_processed", 0) for part in ("files", "database")]
    added = [summary.get("data_added_packed", 0) for summary in summaries.values()]
    return StoredBackup(
        id=name,
        time=parts["manifest"]["time"][:19] + "Z",
        database=tags.get("database", ""),
        odoo=tags.get("odoo", ""),
        installation=parts["manifest"].get("hostname", ""),
        snapshots={part: snapshot["id"] for part, snapshot in parts.items()},
        paths={part: snapshot["paths"][0] for part, snapshot in parts.items()},
        bytes=sum(total),
        added=sum(added) + int(tags.get("prepass", "0")),
        files=summaries["files"].get("total_files_processed", 0),
        restorable=tags.get("restorable") != "no",
        lost=int(tags.get("lost", "0")),
    )


def _tags(snapshot: dict[str, Any]) -> dict[str, str]:
    return dict(tag.split("=", 1) for tag in snapshot.get("tags") or [] if "=" in tag)


def find(wanted: str) -> StoredBackup:
    """The set named `wanted`, by a beginning of its name that is unique.

    `latest` is the newest of the platform's own database: a clone's, which may be in the
    same repository, has to be called by its name.
    """
    require_key()
    known = sets()
    if not known:
        raise Failure("there is no backup yet", "Make one: inv backup")
    if wanted in ("", "latest"):
        own = os.environ.get("ODOO_DATABASE", "odoo")
        if not (mine := [s for s in known if s.database == own]):
            others = ", ".join(sorted({s.database for s in known}))
            raise Failure(
                f"there is no backup of the database {own!r}, only of {others}",
                "Name the one you want: inv backup.list",
            )
        return mine[-1]
    found = [s for s in known if s.id.startswith(wanted)]
    if len(found) != 1:
        what = "no backup" if not found else f"{len(found)} backups"
        raise Failure(f"{what} whose name begins with {wanted!r}", "See: inv backup.list")
    return found[0]


def manifest(chosen: StoredBackup) -> Manifest:
    """What is said of a set, but for its configuration, which may hold secrets."""
    try:
        return from_json(Manifest, _manifest(chosen))
    except ValueError as error:
        raise Failure(f"the manifest of backup {chosen.id} cannot be read: {error}") from error


def configuration(chosen: StoredBackup) -> dict[str, Any]:
    """What is saved of the installation in a set; empty where it was made without `inv`."""
    found: dict[str, Any] = json.loads(_manifest(chosen)).get("configuration", {})
    return found


def _manifest(chosen: StoredBackup) -> str:
    return run("dump", "--no-lock", chosen.snapshots["manifest"], chosen.paths["manifest"])


def listing(snapshot: str) -> Iterator[dict[str, Any]]:
    """The regular files of a snapshot, one after the other."""
    for node in messages("ls", "--json", "--no-lock", snapshot):
        if node.get("type") == "file":
            yield node


def messages(
    *arguments: str,
    accept: Sequence[int] = (0,),
    failing: Callable[[int, str], Failure] = failure,
    stdin: int | None = None,
) -> Iterator[dict[str, Any]]:
    """What a restic says line by line, which may be a line for each of a million files.

    Raises what `failing` makes of its exit code and errors if it fails.
    """
    with tempfile.TemporaryFile() as errors:
        with start(*arguments, stdin=stdin, stdout=subprocess.PIPE, stderr=errors) as process:
            assert process.stdout
            yield from (json.loads(line) for line in process.stdout if line.startswith(b"{"))
        if process.returncode not in accept:
            errors.seek(0)
            raise failing(process.returncode, errors.read().decode(errors="replace"))


def dump_to(chosen: Parts, part: str, target: IO[bytes]) -> None:
    """Copy the one file of `part` into `target`."""
    where = [chosen.snapshots[part], chosen.paths[part]]
    with start("dump", "--no-lock", *where, stdout=target, stderr=subprocess.PIPE) as process:
        errors = process.stderr.read().decode(errors="replace") if process.stderr else ""
    if process.returncode:
        raise failure(process.returncode, errors)


def unlock(key: Path = KEY) -> None:
    """Remove the locks of killed runs of this installation, never those of another machine.

    Called with our own lock held, so that no run of ours can be alive.
    """
    locks = LOCAL / "locks"
    if not is_remote() and locks.is_dir() and not any(locks.iterdir()):
        return
    run("unlock", key=key)
    names = run("list", "locks", "--no-lock", key=key).split()
    locks_found = [json.loads(run("cat", "lock", name, "--no-lock", key=key)) for name in names]
    hosts = {lock.get("hostname") for lock in locks_found}
    if hosts == {socket.gethostname()}:
        run("unlock", "--remove-all", key=key)


def forget(ids: Sequence[str]) -> None:
    if ids:
        run("forget", *ids)


def summary(output: str) -> dict[str, Any]:
    """The summary that `restic backup --json` ends with."""
    found: dict[str, Any] = json.loads(last_line(output))
    return found
