"""What a new machine needs besides its books: saved with them, compared, and written."""

import base64
import json
import subprocess
from pathlib import Path

import pytest

from scripts.backups import cli, configuration, service
from scripts.backups.cli import Wish
from scripts.core.errors import OpsError
from scripts.core.process import SystemRunner
from scripts.stack import engine, images
from scripts.stack.compose import Stack

from .backups import MANIFEST, RUN, ready_stack, runner_of
from .fakes import FakeReporter, says

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

    def ask(*_: object, stdin: str = "") -> dict[str, object]:
        given.append(stdin)
        return MANIFEST

    monkeypatch.setattr(service, "ask", ask)
    cli.create(stack, FakeReporter(), Wish())
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
    (folder / "a").write_text("2")
    stack = Stack(ready_stack(tmp_path, monkeypatch).settings, SystemRunner())
    monkeypatch.setattr(images, "in_use", lambda stack: [("ODOO_IMAGE", "odoo:18.0", "abc")])
    found = configuration.collect(stack)
    assert list(found["repositories"]) == ["odoo/addons/web"]
    known = found["repositories"]["odoo/addons/web"]
    assert len(known["commit"]) == 40
    assert (known["origin"], known["changed"]) == ("https://host/web", True)
    assert found["images"] == {"ODOO_IMAGE": ["odoo:18.0", "abc"]}


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
    _saved(stack, files=configuration.collect(stack)["files"])
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
    web = {"commit": "c" * 40, "origin": "https://host/web", "changed": True}
    pictures = {"ODOO_IMAGE": ["odoo:18.0", "abc"], "CERTBOT_IMAGE": ["certbot", ""]}
    _saved(stack, files={}, repositories={"odoo/addons/web": web}, images=pictures)
    lines = configuration.compare(stack, FakeReporter(), "latest").lines
    clone = "git clone https://host/web odoo/addons/web && git -C odoo/addons/web"
    assert f"{clone} checkout {'c' * 40}" in lines[1]
    assert "not all of odoo/addons/web was committed" in lines[2]
    assert lines[3:] == ["ODOO_IMAGE was odoo:18.0 (abc)"]


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
    images.ensure_all(stack, FakeReporter())
    assert brought == []
    missing = says(code=1, stderr="No such image")
    runner_of(stack).answers["docker image inspect"] = missing
    images.ensure_all(stack, FakeReporter())
    assert brought == [images.BACKUP]
