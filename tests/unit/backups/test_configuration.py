"""What a new machine needs besides its books: saved with them, compared, and written."""

import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.backups import configuration, repository, service
from scripts.backups.repository import BackupRequest
from scripts.core.errors import OpsError
from scripts.core.process import SystemRunner
from scripts.stack import engine, image_names, images
from scripts.stack.compose import Stack
from tests.unit.support.backups import MANIFEST, RUN, ready_stack, runner_of
from tests.unit.support.fakes import FakeReporter, says
from toolbox.contract.backups import CreatedBackup
from toolbox.contract.codec import decode

_ENV = "NGINX_HTTP_PORT=81\nBACKUP_NOTIFY=https://host/token-4711\nBACKUP_FOLDER=/mnt/old\n"


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    (tmp_path / "odoo" / "addons").mkdir(parents=True)
    return ready_stack(tmp_path, monkeypatch)


def _saved(stack: Stack, **changed: object) -> None:
    """The backup that the repository has."""
    found = {"files": {".env": _ENV}, "repositories": {}, "images": {}, **changed}
    encoded = base64.b64encode(json.dumps(found).encode()).decode()
    answer = {"id": "20260101", "configuration": encoded}
    runner_of(stack).answers[f"{RUN} backup configuration"] = says(json.dumps(answer))


def test_a_backup_is_given_the_files_by_standard_input_only(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    (stack.settings.root / ".env").write_text(_ENV)
    given: list[str] = []

    def ask(*_: object, kind: object, stdin: str = "") -> CreatedBackup:
        given.append(stdin)
        return decode(CreatedBackup, MANIFEST)

    monkeypatch.setattr(service, "ask", ask)
    repository.create(stack, FakeReporter(), BackupRequest())
    assert json.loads(given[0])["files"][".env"] == _ENV
    assert not [call for call in runner_of(stack).calls if "token-4711" in " ".join(call)]


def test_commits_of_the_project_and_of_repositories_of_modules_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "odoo" / "addons" / "web"
    folder.mkdir(parents=True)
    (folder.parent / "plain").mkdir()
    git = ["git", "-C", str(folder), "-c", "user.name=n", "-c", "user.email=e@f"]
    for command in (["init", "-q"], ["remote", "add", "origin", "https://host/web"]):
        subprocess.run([*git, *command], check=True)
    (folder / "a").write_text("1")
    for command in (["add", "a"], ["commit", "-q", "-m", "a"]):
        subprocess.run([*git, *command], check=True)
    stack = Stack(ready_stack(tmp_path, monkeypatch).settings, SystemRunner())
    monkeypatch.setattr(images, "in_use", lambda stack: [("ODOO_IMAGE", "odoo:18.0", "abc")])
    _have_every_program_leave_a_trace(folder)
    reporter = FakeReporter()
    found = configuration.collect(stack, reporter)
    assert list(found["repositories"]) == ["odoo/addons/web"]
    known = found["repositories"]["odoo/addons/web"]
    assert len(known["commit"]) == 40 and known["origin"] == "https://host/web"
    assert found["images"] == {"ODOO_IMAGE": ["odoo:18.0", "abc"]}
    assert reporter.said == []
    assert not (tmp_path / "trace").exists()


def _have_every_program_leave_a_trace(repository: Path) -> None:
    """Name one wherever git takes it from a repository's own files, as a stranger might."""
    trace = repository.parents[2] / "trace"
    program = repository / "program"
    program.write_text(f"#!/bin/sh\ntouch {trace}\ncat\n")
    program.chmod(0o755)
    for name in ("core.fsmonitor", "filter.f.clean", "filter.f.process", "core.pager"):
        subprocess.run(["git", "-C", str(repository), "config", name, str(program)], check=True)
    (repository / ".gitattributes").write_text("* filter=f\n")
    (repository / "a").write_text("2")  # git has to look into it, to know whether it changed
    status = ["git", "-C", str(repository), "status", "--porcelain"]
    subprocess.run(status, capture_output=True, check=False)
    assert trace.exists()  # so it would be, if git had been asked the wrong thing
    trace.unlink()


def test_git_is_run_as_the_owner_of_a_repository_or_not_at_all() -> None:
    assert configuration.as_owner(1000, 100, 1000) == []
    become = configuration.as_owner(1000, 100, 0)
    assert become == ["setpriv", "--reuid=1000", "--regid=100", "--clear-groups"]
    with pytest.raises(OpsError, match="belongs to another user"):
        configuration.as_owner(0, 0, 1000)


def _refusing(method: str, beyond: Path) -> Callable[..., Any]:
    """That method of a path, for a user who may read neither `beyond` nor what is in it."""
    original = getattr(Path, method)

    def refuse(path: Path, *given: Any, **more: Any) -> Any:
        if path.is_relative_to(beyond):
            raise PermissionError(13, "Permission denied", str(path))
        return original(path, *given, **more)

    return refuse


@pytest.mark.parametrize("broken", ["odoo/addons/private", "odoo/odoo.conf"])
def test_what_cannot_be_read_is_named_and_costs_no_backup(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    root = stack.settings.root
    (root / "odoo/addons/private").mkdir()
    for name in (".env", "odoo/odoo.conf"):
        (root / name).write_text("A=1\n")
    for method in ("lstat", "read_text"):
        monkeypatch.setattr(Path, method, _refusing(method, root / broken))
    reporter, given = FakeReporter(), list[str]()

    def ask(*_: object, kind: object, stdin: str = "") -> CreatedBackup:
        given.append(stdin)
        return decode(CreatedBackup, MANIFEST)

    monkeypatch.setattr(service, "ask", ask)
    repository.create(stack, reporter, BackupRequest())
    assert ".env" in json.loads(given[0])["files"]
    assert [said for said in reporter.said if broken in said and "Permission denied" in said]


def test_an_engine_that_does_not_tell_its_images_costs_no_backup(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(stack: Stack) -> list[tuple[str, str, str]]:
        raise OpsError("no answer within 60 s")

    monkeypatch.setattr(images, "in_use", silent)
    reporter = FakeReporter()
    assert configuration.collect(stack, reporter)["images"] == {}
    assert reporter.said == ["The configuration lacks images: no answer within 60 s"]


def test_files_are_shown_as_a_difference_and_written_beside_what_they_were(stack: Stack) -> None:
    root = stack.settings.root
    (root / ".env").write_text("NGINX_HTTP_PORT=80\nBACKUP_FOLDER=/mnt/here\n")
    (root / ".env.before").write_text("of long ago")
    _saved(stack)
    found = configuration.compare(stack, FakeReporter(), "latest")
    assert {"-NGINX_HTTP_PORT=80", "+NGINX_HTTP_PORT=81"} <= set(found.lines)
    refusing = FakeReporter(answer=False)
    with pytest.raises(OpsError, match="nothing was written"):
        configuration.write(stack.settings, refusing, found)
    assert (root / ".env").read_text().startswith("NGINX_HTTP_PORT=80")
    lines = configuration.write(stack.settings, FakeReporter(), found)
    written = (root / ".env").read_text()
    assert "NGINX_HTTP_PORT=81" in written and "token-4711" in written
    assert "BACKUP_FOLDER=/mnt/here" in written and "/mnt/old" not in written
    assert (root / ".env.before").read_text() == "of long ago"
    assert "NGINX_HTTP_PORT=80" in (root / ".env.before-2").read_text()
    assert ".env.before-2" in lines[0]
    again = configuration.compare(stack, FakeReporter(), "latest")
    assert not again.files and configuration.write(stack.settings, refusing, again) == []


def test_bytes_that_are_no_utf_8_are_kept(stack: Stack) -> None:
    path = stack.settings.root / "odoo" / "odoo.conf"
    path.write_bytes(b"[options]\n; Stra\xdfe\n")
    _saved(stack, files=configuration.collect(stack, FakeReporter())["files"])
    assert not configuration.compare(stack, FakeReporter(), "latest").files
    path.write_bytes(b"[options]\n")
    found = configuration.compare(stack, FakeReporter(), "latest")
    assert "+; Stra?e" in found.lines
    configuration.write(stack.settings, FakeReporter(), found)
    assert path.read_bytes() == b"[options]\n; Stra\xdfe\n"


def test_a_new_env_is_private_and_no_other_file_is_ever_written(stack: Stack) -> None:
    _saved(stack, files={".env": _ENV, "../evil": "x", "odoo/odoo.conf": "[options]\n"})
    found = configuration.compare(stack, FakeReporter(), "latest")
    configuration.write(stack.settings, FakeReporter(), found)
    root = stack.settings.root
    assert (root / ".env").stat().st_mode & 0o777 == 0o600
    assert (root / "odoo" / "odoo.conf").stat().st_mode & 0o777 == 0o644
    assert not (root.parent / "evil").exists()


def test_sources_and_images_that_are_otherwise_are_named(stack: Stack) -> None:
    web = {"commit": "c" * 40, "origin": "https://host/web"}
    pictures = {"ODOO_IMAGE": ["odoo:18.0", "abc"], "CERTBOT_IMAGE": ["certbot", ""]}
    _saved(stack, files={}, repositories={"odoo/addons/web": web}, images=pictures)
    lines = configuration.compare(stack, FakeReporter(), "latest").lines
    clone = "git clone https://host/web odoo/addons/web && git -C odoo/addons/web"
    assert f"{clone} checkout {'c' * 40}" in lines[1]
    assert lines[2:] == ["ODOO_IMAGE was odoo:18.0 (abc)"]


def test_a_backup_by_hand_has_none_and_says_so(stack: Stack) -> None:
    answer = {"id": "20260101", "configuration": base64.b64encode(b"{}").decode()}
    runner_of(stack).answers[f"{RUN} backup configuration"] = says(json.dumps(answer))
    with pytest.raises(OpsError, match="holds no configuration"):
        configuration.compare(stack, FakeReporter(), "latest")


def test_images_are_brought_before_a_restore_only_where_one_is_missing(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # of what ready_stack has replaced
    monkeypatch.setattr(engine, "probe", lambda runner: None)
    brought: list[str] = []
    monkeypatch.setattr(images, "ensure", lambda stack, reporter, *also: brought.extend(also))
    runner_of(stack).answers["docker image inspect"] = says("sha256:1")
    images.ensure_all(stack, FakeReporter())
    assert brought == []
    missing = says(code=1, stderr="No such image")
    runner_of(stack).answers["docker image inspect"] = missing
    images.ensure_all(stack, FakeReporter())
    assert brought == [image_names.BACKUP]
