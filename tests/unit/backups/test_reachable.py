"""Whether the repository of backups answers, and what is said where it does not."""

import errno
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from scripts.backups import reachable, state
from scripts.core import http
from scripts.core.checks import InapplicableError, Status
from scripts.core.errors import OpsError
from scripts.core.settings import Settings
from tests.support.waiting import eventually
from tests.unit.support.fakes import settings_in


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Those of an installation whose repository is in a folder."""
    made = settings_in(tmp_path)
    made.backup_folder.mkdir()
    (made.backup_folder / "config").write_text("")
    state.remember_repository(made)
    return made


def _elsewhere(settings: Settings, repository: str) -> Settings:
    found = replace(settings, backup_repository=repository)
    state.remember_repository(found)
    return found


def test_a_folder_with_a_repository_is_well_and_stays_as_it_is(settings: Settings) -> None:
    assert reachable.finding(settings, 4).status is Status.OK
    assert [path.name for path in settings.backup_folder.iterdir()] == ["config"]


def test_a_repository_that_has_gone_is_missed(settings: Settings) -> None:
    (settings.backup_folder / "config").unlink()
    found = reachable.finding(settings, 4)
    assert found.status is Status.WARNING
    assert found.detail == f"there is no repository in {settings.backup_folder} any more"


def test_a_folder_that_takes_nothing_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(reachable, "_write_into", full)
    assert reachable.finding(settings, 4).detail.endswith(": Read-only file system")


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EACCES])
def test_a_folder_where_no_nameless_file_can_be_made_is_well(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "O_TMPFILE", 1, raising=False)
    monkeypatch.setattr(os, "open", refuse)
    assert reachable.finding(settings, 4).status is Status.OK


def test_a_folder_that_only_another_user_may_enter_has_no_line(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = Path.stat

    def refuse(path: Path, **options: bool) -> os.stat_result:
        if path.name == "config":
            raise PermissionError(errno.EACCES, "Permission denied")
        return status(path, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(InapplicableError):
        reachable.finding(settings, 4)


def test_a_folder_that_hangs_costs_its_time_only(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads, ending = threading.active_count(), threading.Event()
    monkeypatch.setattr(reachable, "_write_into", lambda _: ending.wait(60))
    started = time.monotonic()
    found = reachable.finding(settings, 0.2)
    assert time.monotonic() - started < 5
    ending.set()
    assert eventually(lambda: threading.active_count() == threads, 20)
    assert found.status is Status.WARNING and "no answer within" in found.detail


def test_before_the_first_backup_there_is_no_line(tmp_path: Path) -> None:
    with pytest.raises(InapplicableError):
        reachable.finding(settings_in(tmp_path), 4)


def test_what_only_rclone_could_ask_has_no_line(settings: Settings) -> None:
    with pytest.raises(InapplicableError):
        reachable.finding(_elsewhere(settings, "rclone:x:y"), 4)


@pytest.mark.parametrize(
    ("repository", "url"),
    [
        ("s3:https://minio.example.com:9000/bucket/x", "https://minio.example.com:9000/"),
        ("s3:s3.amazonaws.com/bucket", "https://s3.amazonaws.com/"),
        ("rest:https://bob:pw-1122@backup.example.com/x", "https://backup.example.com/"),
        ("rest:http://[::1]:8000/x", "http://[::1]:8000/"),
        ("b2:bucket:folder", "https://api.backblazeb2.com/"),
    ],
)
def test_a_server_is_asked_without_the_password(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, repository: str, url: str
) -> None:
    asked: list[str] = []

    def ask(method: str, url: str, *, headers: dict[str, str], timeout: float) -> http.Reply:
        asked.append(url)
        return http.Reply(403, "who are you?")

    monkeypatch.setattr(http, "ask", ask)
    assert reachable.finding(_elsewhere(settings, repository), 4).status is Status.OK
    assert asked == [url]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (http.Reply(503, ""), "https://h.test/ answers with status 503"),
        (OpsError("nothing answers at https://h.test/"), "nothing answers at https://h.test/"),
        (requests.exceptions.SSLError("unknown authority"), ""),
    ],
)
def test_no_answer_of_a_server_is_told_and_whom_it_trusts_is_not_judged(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, answer: object, said: str
) -> None:
    def ask(*_: object, **__: object) -> http.Reply:
        if isinstance(answer, OpsError):
            raise answer
        if isinstance(answer, Exception):
            raise OpsError("nothing answers") from answer
        assert isinstance(answer, http.Reply)
        return answer

    monkeypatch.setattr(http, "ask", ask)
    found = reachable.finding(_elsewhere(settings, "rest:https://h.test/x"), 4)
    assert (found.status is Status.OK) == (said == "") and found.detail == said


@pytest.fixture
def greeting(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a server that greets every client."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(request.param)

        thread = threading.Thread(target=greet)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(
    ("greeting", "well"),
    [(b"SSH-2.0-x\r\n", True), (b"220 mail\r\n", False)],
    indirect=["greeting"],
)
def test_a_server_of_ssh_is_known_by_its_greeting(
    settings: Settings, greeting: int, well: bool
) -> None:
    found = reachable.finding(_elsewhere(settings, f"sftp://me@127.0.0.1:{greeting}//x"), 4)
    assert (found.status is Status.OK) is well


def test_a_server_of_ssh_that_is_down_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def refused(place: object, seconds: float) -> None:
        asked.append(place)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", refused)
    found = reachable.finding(_elsewhere(settings, "sftp:me@backup.test:/srv/x"), 4)
    assert asked == [("backup.test", 22)]
    assert found.detail == "backup.test:22 gives no answer: Connection refused"
