"""BACKUP_REPOSITORY in the terms of pgBackRest, which keeps its files in `archive/` there."""

import configparser
import os
import re
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from toolbox.backup import restic
from toolbox.core.errors import Failure

FOLDER = "archive"
_HINT = "See docs/backups.md, or BACKUP_CONTINUOUS=false in .env."
_REGION = "us-east-1"  # S3's own default, and what servers of others ignore


def options() -> dict[str, str]:
    """What describes the repository in pgBackRest's configuration, credentials too.

    Raises Failure for a kind that pgBackRest does not know, or credentials that are missing.
    """
    place = os.environ.get("BACKUP_REPOSITORY", str(restic.LOCAL))
    if place.startswith("/"):
        return {"repo1-type": "posix", "repo1-path": f"{place}/{FOLDER}"}
    kind, _, rest = place.partition(":")
    if kind == "s3":
        return _s3(rest)
    if kind == "sftp":
        return _sftp(rest)
    raise Failure(f"continuous archiving knows no repository of the kind {kind}:", _HINT)


def _s3(rest: str) -> dict[str, str]:
    parts = urlsplit(rest if "://" in rest else f"https://{rest}")
    if parts.scheme != "https":
        raise Failure("continuous archiving needs S3 by https", _HINT)
    bucket, _, path = parts.path.strip("/").partition("/")
    known = restic.environment()
    key, secret, token = _aws(known)
    found = {
        "repo1-type": "s3",
        "repo1-path": f"/{path}/{FOLDER}".replace("//", "/"),
        "repo1-s3-bucket": bucket,
        "repo1-s3-endpoint": parts.hostname or "",
        "repo1-s3-region": known.get("AWS_DEFAULT_REGION") or known.get("AWS_REGION") or _REGION,
        "repo1-s3-uri-style": "path",
        "repo1-s3-key": key,
        "repo1-s3-key-secret": secret,
    }
    found |= {"repo1-storage-port": str(parts.port)} if parts.port else {}
    found |= {"repo1-s3-token": token} if token else {}
    if authority := known.get("RESTIC_CACERT"):
        found["repo1-storage-ca-file"] = authority
    return found


def _aws(known: dict[str, str]) -> tuple[str, str, str]:
    """Key, secret and session token as restic finds them: the environment, then the file."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    found = [known.get(name, "") for name in names]
    if not all(found[:2]) and (path := known.get("AWS_SHARED_CREDENTIALS_FILE")):
        file = configparser.ConfigParser(interpolation=None)
        file.read(path, encoding="utf-8-sig")
        profile = known.get("AWS_PROFILE", "default")
        section = file[profile] if file.has_section(profile) else {}
        found = [section.get(name.lower(), "") for name in names]
    if not all(found[:2]):
        raise Failure("there are no credentials for S3", "See secrets/backup/ in docs/backups.md.")
    return found[0], found[1], found[2]


def _sftp(rest: str) -> dict[str, str]:
    """user@host:folder, or //user@host:port/folder; a folder begins with / or is the user's."""
    if rest.startswith("//"):
        parts = urlsplit(f"ssh:{rest}")
        folder = parts.path[1:]
    else:
        address, folder = _split(rest)
        parts = urlsplit(f"ssh://{address}")
    if not folder.startswith("/"):
        raise Failure(
            "continuous archiving needs the folder from the root of that server",
            "Write sftp:user@host:/folder or sftp://user@host:port//folder",
        )
    if not parts.username or not parts.hostname:
        raise Failure("continuous archiving needs the user in sftp:user@host:/folder", _HINT)
    found = {
        "repo1-type": "sftp",
        "repo1-path": str(PurePosixPath(folder, FOLDER)),
        "repo1-sftp-host": parts.hostname,
        "repo1-sftp-host-user": parts.username,
        "repo1-sftp-host-port": str(parts.port or 22),
        "repo1-sftp-host-key-hash-type": "sha256",
        "repo1-sftp-host-key-check-type": "strict",
        "repo1-sftp-known-host": str(restic.CREDENTIALS / "known_hosts"),
        "repo1-sftp-private-key-file": str(restic.CREDENTIALS / "ssh_key"),
    }
    if not (restic.CREDENTIALS / "ssh_key").is_file():
        raise Failure("there is no secrets/backup/ssh_key", "See docs/backups.md.")
    return found


def _split(rest: str) -> tuple[str, str]:
    found = re.fullmatch(r"(?P<address>[^:\[]*(?:\[[^\]]*\])?):(?P<folder>.*)", rest)
    if not found:
        raise Failure("BACKUP_REPOSITORY has no folder after the host", _HINT)
    return found["address"], found["folder"]
