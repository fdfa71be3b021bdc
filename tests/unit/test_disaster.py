"""The disaster drill: what the second project is given, what is measured, and its end."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scripts.core.errors import OpsError, WarningError
from scripts.disaster import certificate, drill, second
from scripts.disaster.certificate import Certificate
from scripts.disaster.second import Second, free_ports
from scripts.stack.compose import Stack
from tests.unit.support.backups import ready_stack
from tests.unit.support.fakes import FakeReporter, FakeRunner, says

_NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """An installation with a key, and room for a second one."""
    found = ready_stack(tmp_path, monkeypatch)
    monkeypatch.setattr(drill, "require_room", lambda stack: None)
    (tmp_path / "secrets" / "db_password.txt").write_text("ours")
    (tmp_path / "secrets" / "backup").mkdir(exist_ok=True)
    (tmp_path / "secrets" / "backup" / "ssh_key").write_text("key")
    _runner(found).answers |= {
        "git": says("compose.yaml\0compose.prod.yaml\0"),
    }
    return found


def _runner(stack: Stack) -> FakeRunner:
    assert isinstance(stack.runner, FakeRunner)
    return stack.runner


def test_the_second_project_gets_the_key_and_no_other_secret(stack: Stack) -> None:
    second = Second(stack)
    second.make()
    kept = {path.name for path in (second.root / "secrets").rglob("*") if path.is_file()}
    assert kept == {"backup_key.txt", "ssh_key"}
    assert (second.root / "compose.yaml").is_file()


def test_it_never_archives_and_shares_neither_name_nor_port(stack: Stack) -> None:
    second = Second(stack)
    second.make()
    settings = second.settings
    assert not settings.archive.wanted
    assert settings.project == f"{stack.settings.project}-drill"
    assert settings.bind == settings.odoo_bind == "127.0.0.1"
    assert settings.http_port != stack.settings.http_port
    assert settings.backup_folder == stack.settings.backup_folder
    assert len(set(free_ports(9))) == 9


def _fails(*_: object) -> None:
    raise OpsError("broken")


def _is_interrupted(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("end", [_fails, _is_interrupted])
def test_it_is_removed_however_the_drill_ends(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, end: Callable[..., None]
) -> None:
    monkeypatch.setattr(Second, "inv", end)
    _runner(stack).answers["docker volume ls"] = says("its-volume\n")
    Second(stack).root.mkdir(parents=True)  # of one that was killed
    with pytest.raises((OpsError, KeyboardInterrupt)):
        drill.drill(stack, FakeReporter())
    assert not Second(stack).root.exists()
    removed = [call for call in _runner(stack).changing if call[:3] == ["docker", "volume", "rm"]]
    assert removed[-1][-1] == "its-volume"
    asked = [call for call in _runner(stack).calls if call[:3] == ["docker", "volume", "ls"]]
    assert asked[-1][-1].endswith("project=ipai-platform-drill")
    assert not (stack.settings.state_folder / "disaster").exists()


def test_volumes_that_no_drill_has_left_are_kept(stack: Stack) -> None:
    _runner(stack).answers["docker volume ls"] = says("its-volume\n")
    with pytest.raises(OpsError, match="volumes of a project ipai-platform-drill: its-volume"):
        Second(stack).require_own()
    Second(stack).root.mkdir(parents=True)
    Second(stack).require_own()


def test_a_project_of_that_name_in_another_folder_is_left_alone(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = ["docker", "ps", "--all"]
    monkeypatch.setattr(
        FakeRunner,
        "run",
        lambda self, given, **_: says("/home/other\n") if given[:3] == argv else pytest.fail(),
    )
    with pytest.raises(OpsError, match="of /home/other already"):
        Second(stack).require_own()


def test_what_would_be_lost_is_counted_from_the_last_transaction() -> None:
    assert drill.lost((_NOW - timedelta(seconds=31)).isoformat(), _NOW) == 31
    assert drill.lost((_NOW + timedelta(seconds=5)).isoformat(), _NOW) == 0
    assert drill.lost("", _NOW) is None


def _certificate(missing: int = 0) -> Certificate:
    return Certificate(
        started=_NOW.isoformat(),
        project="ipai-platform-drill",
        source="odoo as of now",
        archive="ipai-1",
        last_transaction=_NOW.isoformat(),
        rto_seconds=90.0,
        rpo_seconds=31.0,
        missing_files=missing,
        steps={},
    )


def test_the_certificate_is_dated_and_says_what_is_not_proven(stack: Stack) -> None:
    place = certificate.save(stack.settings, _certificate())
    assert place == stack.settings.state_folder / "disaster" / "2026-11-28T120000Z.json"
    written = json.loads(place.read_text())
    assert "90 s (RTO)" in written["result"]
    assert "31 s before the start (RPO)" in written["result"]
    assert any("images" in text for text in written["not_proven"])
    certificate.warn(_certificate())
    with pytest.raises(WarningError, match="2 attachments"):
        certificate.warn(_certificate(missing=2))


def test_what_an_installation_has_made_is_not_copied(tmp_path: Path) -> None:
    for name in (
        "compose.yaml",
        ".env",
        ".env.example",
        "secrets/db_password.txt",
        "nginx/nginx.conf",
        "nginx/certs/current/key.pem",
        ".state/lock",
        "books/config",
        "odoo/addons/mine/__manifest__.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert sorted(second._below(tmp_path, {*second._OWN, "books"})) == [
        ".env.example",
        "compose.yaml",
        "nginx/nginx.conf",
        "odoo/addons/mine/__manifest__.py",
    ]
