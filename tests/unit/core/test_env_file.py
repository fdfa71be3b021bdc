"""Who may read `.env`, and what `inv up` says of secrets in it."""

import os
from pathlib import Path

import pytest

from scripts.core import env_file
from scripts.core.settings import Settings
from scripts.startup import warn_of_settings_file
from tests.unit.support.fakes import FakeReporter

_OTHER_USER = 12345


def _settings(root: Path) -> Settings:
    return Settings.load(root)


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    env_file.remember(_settings(tmp_path).env_file, {"ODOO_PORT": "8070"})
    assert _mode(tmp_path / ".env") == 0o600
    env_file.write(tmp_path / "b.env", b"A=1\n")
    assert _mode(tmp_path / "b.env") == 0o600


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o664])
def test_what_was_there_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / ".env"
    path.write_text("ODOO_PORT=8070\n")
    path.chmod(mode)
    env_file.remember(_settings(tmp_path).env_file, {"ODOO_PORT": "8071"})
    assert path.read_text() == "ODOO_PORT=8071\n" and _mode(path) == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write for somebody else")
@pytest.mark.parametrize("there", [True, False])
def test_what_root_writes_for_somebody_else_stays_theirs(tmp_path: Path, there: bool) -> None:
    path = tmp_path / ".env"
    if there:
        path.touch()
    os.chown(path if there else tmp_path, _OTHER_USER, _OTHER_USER)
    env_file.remember(_settings(tmp_path).env_file, {"ODOO_PORT": "8070"})
    assert (path.stat().st_uid, path.stat().st_gid) == (_OTHER_USER, _OTHER_USER)


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("SUPABASE_SERVICE_ROLE_KEY=eyJhbGciOi", True),
        ("aws_secret_access_key=abc", True),
        ("RESTIC_PASSWORD='a b'", True),
        ("BACKUP_REPOSITORY=rest:https://user:pass@host/name", True),
        ("BACKUP_REPOSITORY=rest:https://host/name", False),
        ("BACKUP_REPOSITORY=sftp:user@host:/folder", False),
        ("SSH_KEY_FILE=/root/.ssh/id", False),
        ("#API_TOKEN=abc", False),
        ("API_TOKEN=", False),
        ("ODOO_DOMAIN=shop.example", False),
    ],
)
@pytest.mark.parametrize(("mode", "open_to_all"), [(0o644, True), (0o640, False), (0o600, False)])
def test_only_a_secret_that_everybody_can_read_is_warned_of(
    tmp_path: Path, line: str, secret: bool, mode: int, open_to_all: bool
) -> None:
    path = tmp_path / ".env"
    path.write_text(f"ODOO_PORT=8070\n{line}\n")
    path.chmod(mode)
    reporter = FakeReporter()
    warn_of_settings_file(_settings(tmp_path), reporter)
    said = " ".join(text for text in reporter.said if "is unknown" not in text)
    assert bool(said) is (secret and open_to_all)
    name, _, value = line.partition("=")
    assert not said or (name in said and value not in said and "chmod 600 .env" in said)


def test_without_a_file_nothing_is_said(tmp_path: Path) -> None:
    assert env_file.warning(tmp_path / ".env") == ""
