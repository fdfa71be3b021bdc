import base64
import codecs
import os
import secrets
import stat
from pathlib import Path

import pytest

from scripts import credentials
from scripts.core.checks import Status, run_all
from scripts.core.errors import EXIT_FAILED, EXIT_USAGE, OpsError, UsageError
from scripts.core.redact import redactor
from scripts.credentials import SPECS, SecretState, ensure, inspect
from scripts.supabase import keys
from tests.conftest import ROOT

_STRONG = "Xq3vR8-kTz1mPw7dLs5y"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "secrets"


def _put(folder: Path, name: str, value: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.txt"
    path.write_text(value)
    return path


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*")}


def test_a_first_run_makes_every_secret_for_its_owner_alone(folder: Path) -> None:
    before = os.umask(0)
    try:
        reports = ensure(folder)
    finally:
        os.umask(before)
    assert [report.state for report in reports] == [SecretState.CREATED] * len(SPECS)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {0o600}
    assert set(_contents(folder)) == {f"{spec.name}.txt" for spec in SPECS}


def test_no_two_secrets_are_alike_and_each_is_long(folder: Path) -> None:
    ensure(folder)
    values = [content.decode().strip() for content in _contents(folder).values()]
    assert len(set(values)) == len(SPECS)
    assert all(len(value) >= 32 for value in values)


def test_a_second_run_keeps_existing_secrets(folder: Path) -> None:
    ensure(folder)
    before = _contents(folder)
    assert {report.state for report in ensure(folder)} == {SecretState.KEPT}
    assert _contents(folder) == before


def test_a_kept_secret_is_narrowed_to_its_owner(folder: Path) -> None:
    path = _put(folder, "db_password", _STRONG)
    path.chmod(0o644)
    ensure(folder)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == _STRONG


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("db_password", "your-db-password"),
        ("supabase_db_password", "your-supabase-db-password"),
        ("supabase_jwt_secret", "your-jwt-secret"),
        ("db_password", "change-me-please"),
        ("db_password", "passwordpassword"),
        ("db_password", "odooodooodooodoo"),
        ("db_password", "xxxxxxxxxxxxxxxxxxx"),
        ("db_password", "aaaaaaaaaaaaaaaaaaa"),
        ("db_password", "<the password of the db>"),
        ("db_password", ""),
        ("db_password", "\n"),
        ("db_password", "Xq3vR8kTz1"),
        ("db_password", f"{_STRONG} {_STRONG}"),
        ("db_password", f"{_STRONG}\n{_STRONG}"),
    ],
)
def test_a_weak_value_is_refused_and_nothing_is_written(
    folder: Path, name: str, value: str
) -> None:
    path = _put(folder, name, value + "\n")
    with pytest.raises(UsageError) as caught:
        ensure(folder)
    assert f"secrets/{name}.txt" in caught.value.message
    assert caught.value.exit_code == EXIT_USAGE
    assert _contents(folder) == {path.name: f"{value}\n".encode()}


def test_a_copy_of_the_examples_is_refused_whole(folder: Path) -> None:
    examples = ROOT / "secrets.example"
    for spec in SPECS:
        _put(folder, spec.name, (examples / f"{spec.name}.txt").read_text())
    assert {report.state for report in inspect(folder)} == {SecretState.REFUSED}


def test_all_refused_files_are_named_at_once(folder: Path) -> None:
    _put(folder, "db_password", "your-db-password")
    _put(folder, "supabase_jwt_secret", "your-jwt-secret")
    with pytest.raises(UsageError, match=r"db_password\.txt .*supabase_jwt_secret\.txt "):
        ensure(folder)


def test_a_refusal_does_not_show_the_value(folder: Path) -> None:
    _put(folder, "db_password", "hunter2hunt")
    with pytest.raises(UsageError) as caught:
        ensure(folder)
    assert "hunter2" not in caught.value.message + caught.value.hint


def test_a_folder_left_behind_by_docker_is_explained(folder: Path) -> None:
    (folder / "db_password.txt").mkdir(parents=True)
    with pytest.raises(UsageError, match="is a folder"):
        ensure(folder)


def test_a_file_that_is_no_text_is_refused(folder: Path) -> None:
    folder.mkdir()
    (folder / "db_password.txt").write_bytes(b"\xff\xfe" * 20)
    with pytest.raises(UsageError, match=r"db_password\.txt cannot be read"):
        ensure(folder)


def test_what_belongs_to_another_user_needs_no_new_secret(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put(folder, "supabase_jwt_secret", _STRONG)

    def denied(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(credentials, "value_in", denied)
    for look in (lambda: ensure(folder), lambda: keys.secret(folder)):
        with pytest.raises(UsageError, match="cannot be read by this user") as caught:
            look()
        assert "rotate" not in caught.value.hint and "chown" in caught.value.hint


def test_a_file_in_the_place_of_the_folder_is_said_in_plain_words(folder: Path) -> None:
    folder.touch()
    problems = {report.problem for report in credentials.inspect(folder)}
    assert problems == {"cannot be read: Not a directory"}


@pytest.mark.parametrize("ends", ["", "\n", "\r\n", " \r\n\r\n"])
@pytest.mark.parametrize("begins", [b"", codecs.BOM_UTF8])
def test_a_secret_saved_on_windows_is_the_same_secret(
    folder: Path, begins: bytes, ends: str
) -> None:
    path = _put(folder, "db_password", "")
    path.write_bytes(begins + (_STRONG + ends).encode())
    assert {r.state for r in ensure(folder) if r.name == "db_password"} == {SecretState.KEPT}
    assert credentials.value_in(path) == _STRONG
    assert redactor(folder)(f"password {_STRONG}") == "password ***"


def test_a_placeholder_behind_a_byte_order_mark_is_refused(folder: Path) -> None:
    _put(folder, "db_password", "").write_bytes(codecs.BOM_UTF8 + b"your-db-password\r\n")
    with pytest.raises(UsageError, match=r"db_password\.txt holds a placeholder"):
        ensure(folder)


def test_a_secret_in_another_encoding_is_named_by_the_preflight(folder: Path) -> None:
    _put(folder, "db_password", "").write_text(_STRONG, encoding="utf-16")
    (row,) = run_all([credentials.preflight(folder)])
    assert row.status is Status.FAILED
    assert "secrets/db_password.txt cannot be read" in row.detail


def test_a_lost_secret_is_not_made_and_the_others_are(folder: Path) -> None:
    reports = ensure(folder, {"db_password": "a database has it"})
    states = {report.name: report.state for report in reports}
    assert states.pop("db_password") is SecretState.LOST
    assert set(states.values()) == {SecretState.CREATED}
    assert not (folder / "db_password.txt").exists()
    with pytest.raises(OpsError, match=r"secrets/db_password\.txt is missing") as caught:
        credentials.require_none_lost(reports)
    assert caught.value.exit_code == EXIT_FAILED
    assert "inv secrets.rotate db_password" in caught.value.hint


def test_a_lost_secret_that_is_optional_keeps_nothing_from_starting(folder: Path) -> None:
    reports = ensure(folder, {"odoo_admin_password": "there is one"})
    credentials.require_none_lost(reports, required=True)
    with pytest.raises(OpsError, match=r"odoo_admin_password\.txt"):
        credentials.require_none_lost(reports)


def test_a_file_that_is_there_is_never_lost(folder: Path) -> None:
    _put(folder, "db_password", _STRONG)
    (found, *_) = inspect(folder, {"db_password": "a database has it"})
    assert found.state is SecretState.KEPT


def test_nothing_starts_after_an_interrupted_rotation(folder: Path) -> None:
    ensure(folder)
    (folder / "rotation").mkdir()
    (folder / "rotation" / "plan.json").write_text("{}")
    (row,) = run_all([credentials.preflight(folder)])
    assert row.status is Status.FAILED
    assert "interrupted" in row.detail and "inv secrets" in row.hint


def test_a_refusal_does_not_advise_what_breaks_a_living_platform(folder: Path) -> None:
    _put(folder, "db_password", "your-db-password")
    with pytest.raises(UsageError) as caught:
        ensure(folder)
    assert "inv secrets.rotate db_password" in caught.value.hint


def test_the_wrapped_line_of_openssl_is_a_jwt_secret(folder: Path) -> None:
    wrapped = base64.encodebytes(bytes(range(40, 104)))
    assert wrapped.count(b"\n") == 2  # as `openssl rand -base64 64` prints it
    path = _put(folder, "supabase_jwt_secret", wrapped.decode())
    states = {report.name: report.state for report in ensure(folder)}
    assert states["supabase_jwt_secret"] is SecretState.KEPT
    assert path.read_bytes() == wrapped


def test_what_is_generated_is_never_refused(folder: Path) -> None:
    folder.mkdir()
    for _ in range(500):
        for spec in SPECS:
            (folder / f"{spec.name}.txt").write_text(spec.generate() + "\n")
        assert [r.problem for r in inspect(folder)] == [""] * len(SPECS)


@pytest.mark.parametrize("start", ["my-", "My_", "the-", "odoo", "Test", "1234", "Admin"])
def test_a_random_value_that_begins_like_a_placeholder_is_not_refused_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    # `my-` alone begins 1 of 33,000 values of token_urlsafe.
    real = secrets.token_urlsafe
    unlucky = iter([start + real(32)[len(start) :]])
    monkeypatch.setattr(secrets, "token_urlsafe", lambda size: next(unlucky, "") or real(size))
    ensure(folder)
    assert [report.problem for report in inspect(folder)] == [""] * len(SPECS)


def test_inspecting_changes_nothing(folder: Path) -> None:
    assert {report.state for report in inspect(folder)} == {SecretState.MISSING}
    assert not folder.exists()


def test_the_preflight_asks_for_required_secrets_only(folder: Path) -> None:
    (row,) = run_all([credentials.preflight(folder)])
    assert row.status is Status.FAILED
    assert row.detail == "secrets/db_password.txt does not exist"
    assert row.hint == "Run: inv secrets"
    _put(folder, "db_password", _STRONG)
    (row,) = run_all([credentials.preflight(folder)])
    assert row.status is Status.OK


def test_the_preflight_refuses_a_weak_optional_secret(folder: Path) -> None:
    _put(folder, "db_password", _STRONG)
    _put(folder, "odoo_admin_password", "admin")
    (row,) = run_all([credentials.preflight(folder)])
    assert row.status is Status.FAILED
    assert "odoo_admin_password.txt" in row.detail


def test_a_report_never_holds_the_value(folder: Path) -> None:
    ensure(folder)
    shown = repr(inspect(folder))
    values = [content.decode().strip() for content in _contents(folder).values()]
    assert not [value for value in values if value in shown]
