"""BACKUP_REPOSITORY in the terms of pgBackRest."""

from pathlib import Path

import pytest

from toolbox.archive import destination
from toolbox.backup import restic
from toolbox.core.errors import Failure


@pytest.fixture(autouse=True)
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder secrets/backup/, without any."""
    monkeypatch.setattr(restic, "CREDENTIALS", tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKUP_REPOSITORY", "/repository")
    found = destination.options()
    assert found == {"repo1-type": "posix", "repo1-path": "/repository/archive"}


@pytest.mark.parametrize(
    ("place", "wanted"),
    [
        ("s3:https://s3.example.com/books", ("s3.example.com", "books", "/archive", None)),
        ("s3:https://s3.example.com:9000/b/x/y/", ("s3.example.com", "b", "/x/y/archive", "9000")),
        ("s3:s3.amazonaws.com/books/a", ("s3.amazonaws.com", "books", "/a/archive", None)),
    ],
)
def test_s3(
    monkeypatch: pytest.MonkeyPatch, credentials: Path, place: str,
    wanted: tuple[str, str, str, str | None],
) -> None:  # fmt: skip
    monkeypatch.setenv("BACKUP_REPOSITORY", place)
    with pytest.raises(Failure, match="no credentials"):
        destination.options()
    (credentials / "aws").write_text(
        "[default]\naws_access_key_id = me\naws_secret_access_key = p%ss\n"
    )
    found = destination.options()
    names = ("repo1-s3-endpoint", "repo1-s3-bucket", "repo1-path")
    assert (*(found[n] for n in names), found.get("repo1-storage-port")) == wanted
    assert (found["repo1-s3-key"], found["repo1-s3-key-secret"]) == ("me", "p%ss")
    assert found["repo1-s3-region"] == "us-east-1"
    (credentials / "environment").write_text(
        "AWS_ACCESS_KEY_ID=you\nAWS_SECRET_ACCESS_KEY=s\nAWS_DEFAULT_REGION=eu\n"
    )
    found = destination.options()
    assert (found["repo1-s3-key"], found["repo1-s3-region"]) == ("you", "eu")


@pytest.mark.parametrize(
    ("place", "wanted"),
    [
        ("sftp:me@host:/books", ("me", "host", "22", "/books/archive")),
        ("sftp:me@[fe80::1]:/books", ("me", "fe80::1", "22", "/books/archive")),
        ("sftp://me@host:2022//srv/books", ("me", "host", "2022", "/srv/books/archive")),
    ],
)
def test_sftp(
    monkeypatch: pytest.MonkeyPatch, credentials: Path, place: str, wanted: tuple[str, ...]
) -> None:
    monkeypatch.setenv("BACKUP_REPOSITORY", place)
    with pytest.raises(Failure, match="ssh_key"):
        destination.options()
    (credentials / "ssh_key").touch()
    found = destination.options()
    names = ("host-user", "host", "host-port")
    assert (*(found[f"repo1-sftp-{n}"] for n in names), found["repo1-path"]) == wanted
    assert found["repo1-sftp-host-key-check-type"] == "strict"


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("rest:https://host/books", "no repository of the kind rest:"),
        ("rclone:remote:books", "no repository of the kind rclone:"),
        ("s3:http://host/books", "needs S3 by https"),
        ("sftp:host:/books", "needs the user"),
        ("sftp:me@host", "no folder"),
        ("sftp:me@host:books", "from the root"),
        ("sftp://me@host:2022/books", "from the root"),
    ],
)
def test_what_it_cannot_use_is_said(monkeypatch: pytest.MonkeyPatch, place: str, said: str) -> None:
    monkeypatch.setenv("BACKUP_REPOSITORY", place)
    with pytest.raises(Failure, match=said) as caught:
        destination.options()
    assert caught.value.hint
