"""All calls of pgBackRest, and what it tells of its archives."""

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from toolbox.archive import destination
from toolbox.archive.places import DATA, SOCKET
from toolbox.backup import owner, restic
from toolbox.contract.archive import ArchiveInfo, BaseBackup
from toolbox.core.errors import Failure
from toolbox.core.files import write_private

CONFIG = Path("/run/backup/pgbackrest.conf")
NEXT_TRANSACTION = "next-transaction"  # an annotation of base backups
_TEMPORARY = Path("/tmp/pgbackrest")


def configure(name: str, passphrase: str, *, days: int, more: Mapping[str, str] = {}) -> None:
    """Write the configuration for the archive `name`, which keeps moments for so many days."""
    _TEMPORARY.mkdir(mode=0o777, exist_ok=True)
    _TEMPORARY.chmod(0o777)
    general = {
        **destination.options(),
        "repo1-cipher-type": "aes-256-cbc",
        "repo1-cipher-pass": passphrase,
        "repo1-bundle": "y",
        "repo1-block": "y",
        "repo1-retention-full-type": "time",
        "repo1-retention-full": str(days),
        "compress-type": "zst",
        "compress-level": "3",
        "process-max": "2",
        "start-fast": "y",
        "archive-timeout": "120",
        "log-level-file": "off",
        "log-level-console": "warn",
        "log-level-stderr": "off",
        "log-path": str(_TEMPORARY),
        "lock-path": str(_TEMPORARY),
        "spool-path": str(_TEMPORARY),
        **more,
    }
    own = {"pg1-path": str(DATA), "pg1-socket-path": str(SOCKET), "pg1-user": "postgres"}
    sections = {"global": general, name: own}
    lines = []
    for section, values in sections.items():
        lines += [f"[{section}]", *(f"{key}={value}" for key, value in values.items())]
    write_private(CONFIG, "\n".join(lines) + "\n")


def command(*arguments: str, name: str = "", user: Sequence[str] | None = None) -> list[str]:
    """A call of pgBackRest's, which `user` (a program before it) gives another user.

    In a folder of this machine it runs as the owner of that, so that its files are the
    owner's, with the one right to read the files of PostgreSQL.
    """
    program = ["pgbackrest", f"--config={CONFIG}", *([f"--stanza={name}"] if name else [])]
    return [*(_as_owner() if user is None else user), *program, *arguments]


def _as_owner() -> list[str]:
    if restic.is_remote():
        return []
    user, group = owner.expected(restic.LOCAL)
    if not user:
        return []
    rights = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", *rights]


def run(*arguments: str, name: str = "", by: Sequence[str] = ()) -> str:
    """What it prints; raises Failure with its reason. `by` is a program that starts it."""
    argv = [*by, *command(*arguments, name=name)]
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise failure(done.stdout + done.stderr, done.returncode)
    return done.stdout


def failure(said: str, code: int) -> Failure:
    """The reason in what it said, for people."""
    lines = said.splitlines()
    for number, line in enumerate(lines):
        _, found, text = line.partition(" ERROR: ")
        if found:
            text = text.partition(": ")[2] or text
            # `unable to find a valid repository:`, and which one for what reason below.
            more = lines[number + 1].strip() if text.endswith(":") and lines[number + 1 :] else ""
            return Failure(f"pgBackRest: {text} {more}".strip(), _hint(text))
    return Failure(f"pgBackRest failed with exit code {code}")


def _hint(text: str) -> str:
    # OpenSSH has this extension (fsync@openssh.com), `rclone serve sftp` has not.
    if "unable to sync" in text and "operation unsupported" in text:
        return "This SFTP server cannot sync files to its disk: use one of OpenSSH."
    if "not later than latest backup label" in text:
        return "The clock was set back: base backups go on when it is past that of the last one."
    if "archive.info exists but backup.info is missing" in text:
        return (
            "Its making was cut off. Remove it: docker compose --profile continuous run --rm"
            " --no-deps archiver forget NAME"
        )
    if "known hosts failure" in text:
        # libssh2 chooses the kind of key by itself, not by what is in that file.
        return "Put all keys of that host into secrets/backup/known_hosts: ssh-keyscan HOST"
    return ""


def archives() -> list[ArchiveInfo]:
    """Those in the repository, with their base backups, the oldest first."""
    found: Sequence[Mapping[str, Any]] = json.loads(run("info", "--output=json") or "[]")
    return [_archive(each) for each in found]


def archive(name: str) -> ArchiveInfo:
    """The one of that name; one without backups if there is none."""
    nothing = ArchiveInfo(name=name, postgresql="", bases=())
    return next((found for found in archives() if found.name == name), nothing)


def segments(name: str) -> list[str]:
    """Names of the segments of WAL in the archive `name`."""
    return sorted({segment for segment, _ in checksums(name)})


def checksums(name: str) -> list[tuple[str, str]]:
    """Each segment of WAL in the archive `name`, and the SHA-1 of its content.

    Two of one name are of different major versions.
    """
    listed = run("repo-ls", f"archive/{name}", "--recurse")
    return re.findall(r"/([0-9A-F]{24})-([0-9a-f]{40})", listed)


def _archive(given: Mapping[str, Any]) -> ArchiveInfo:
    servers = given.get("db") or [{}]
    bases = tuple(_base(each) for each in given.get("backup") or [] if not each.get("error"))
    return ArchiveInfo(
        name=str(given["name"]), postgresql=str(servers[-1].get("version", "")), bases=bases
    )


def _base(given: Mapping[str, Any]) -> BaseBackup:
    sizes, times = given["info"], given["timestamp"]
    return BaseBackup(
        label=given["label"],
        kind=given["type"],
        begins=iso(times["start"]),
        ends=iso(times["stop"]),
        bytes=int(sizes["size"]),
        added=int(sizes["repository"].get("delta", 0)),
        segment=(given.get("archive") or {}).get("start") or "",
        next_transaction=int((given.get("annotation") or {}).get(NEXT_TRANSACTION) or 0),
    )


def iso(seconds: float) -> str:
    """As records have times."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
