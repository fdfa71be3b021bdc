"""What `quickstart` says at its end: never a password that does not log in."""

import json
from pathlib import Path

import pytest

from scripts import quickstart, startup
from scripts.core.settings import Environment
from scripts.rotation import logins
from scripts.rotation.logins import Login
from scripts.stack.compose import Stack
from scripts.tls.store import Store
from tests.unit.support.fakes import FakeReporter, FakeRunner, says, settings_in


def _said(root: Path, monkeypatch: pytest.MonkeyPatch, found: Login | None, file: str) -> str:
    settings = settings_in(root)
    settings.secrets_folder.mkdir()
    if file:
        (settings.secrets_folder / "odoo_admin_password.txt").write_text(file)
    tried: list[str] = []

    def look(stack: Stack, password: str) -> Login | None:
        tried.append(password)
        return found

    monkeypatch.setattr(logins, "look", look)
    outcome = quickstart._way_in(Stack(settings, FakeRunner()), "18.0")
    assert tried == [file.strip()]
    assert not file or file.strip() not in "\n".join(outcome.lines)
    return "\n".join(outcome.lines)


def test_a_password_that_logs_in_is_named_by_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = _said(tmp_path, monkeypatch, Login("boss@example.com", opens=True), "Right-12345678\r\n")
    assert "Login:    boss@example.com" in said
    assert str(tmp_path / "secrets" / "odoo_admin_password.txt") in said


@pytest.mark.parametrize(
    ("found", "file", "words"),
    [
        (Login("admin", opens=False), "Old-1234567890\n", "it was changed in Odoo"),
        (Login("admin", opens=False), "", "it is in no file here"),
        (None, "Any-1234567890\n", "inv secrets.reset admin"),
    ],
)
def test_a_file_that_opens_nothing_is_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: Login | None, file: str, words: str
) -> None:
    said = _said(tmp_path, monkeypatch, found, file)
    assert words in said and "inv secrets.reset admin" in said
    assert "odoo_admin_password.txt" not in said


@pytest.mark.parametrize("there", [True, False])
def test_a_restore_that_starts_production_finds_a_certificate_as_up_does(
    tmp_path: Path, there: bool
) -> None:
    settings = settings_in(tmp_path, environment=Environment.PROD)
    row = json.dumps({"Service": "odoo", "Name": "odoo", "State": "exited"})
    stack = Stack(settings, FakeRunner(answers={"docker ps": says(row if there else "")}))
    startup.prepare_restore(stack, FakeReporter())
    # One that is there has whatever its owner gave it, which is no matter of a restore.
    assert (Store(settings.certificates).read() is None) == there
