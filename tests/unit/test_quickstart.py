"""What `quickstart` says at its end: never a password that does not log in."""

from pathlib import Path

import pytest

from scripts import quickstart
from scripts.rotation import door
from scripts.rotation.door import Door
from scripts.stack.compose import Stack

from .fakes import FakeRunner, settings_in


def _said(root: Path, monkeypatch: pytest.MonkeyPatch, found: Door | None, file: str) -> str:
    settings = settings_in(root)
    settings.secrets_folder.mkdir()
    if file:
        (settings.secrets_folder / "odoo_admin_password.txt").write_text(file)
    tried: list[str] = []

    def look(stack: Stack, password: str) -> Door | None:
        tried.append(password)
        return found

    monkeypatch.setattr(door, "look", look)
    outcome = quickstart._way_in(Stack(settings, FakeRunner()), "18.0", ())
    assert tried == [file.strip()]
    assert not file or file.strip() not in "\n".join(outcome.lines)
    return "\n".join(outcome.lines)


def test_a_password_that_logs_in_is_named_by_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = _said(tmp_path, monkeypatch, Door("boss@example.com", opens=True), "Right-12345678\r\n")
    assert "Login:    boss@example.com" in said
    assert str(tmp_path / "secrets" / "odoo_admin_password.txt") in said


@pytest.mark.parametrize(
    ("found", "file", "words"),
    [
        (Door("admin", opens=False), "Old-1234567890\n", "it was changed in Odoo"),
        (Door("admin", opens=False), "", "it is in no file here"),
        (None, "Any-1234567890\n", "inv secrets.reset admin"),
    ],
)
def test_a_file_that_opens_nothing_is_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: Door | None, file: str, words: str
) -> None:
    said = _said(tmp_path, monkeypatch, found, file)
    assert words in said and "inv secrets.reset admin" in said
    assert "odoo_admin_password.txt" not in said
