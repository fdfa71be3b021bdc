"""Backups: what is kept, how the containers are asked, what their failures become."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scripts.backups import (
    nightly,
    notify,
    render,
    repository,
    retention,
    service,
    state,
    verified,
    verify,
)
from scripts.backups.repository import BackupRequest
from scripts.backups.retention import Backup
from scripts.core import http
from scripts.core.completed import Completed
from scripts.core.errors import OpsError, UsageError
from scripts.stack import engine
from scripts.stack.compose import Stack
from tests.unit.support.backups import MANIFEST, RECORD, RUN, runner_of, stored
from tests.unit.support.fakes import FakeReporter, says


def _backup(time: datetime, database: str = "odoo") -> Backup:
    return Backup(f"{time:%Y%m%d-%H%M%S}", time, database, "18.0", 1, 1, 1)


def _nightly(count: int) -> list[Backup]:
    last = datetime(2026, 3, 31, 2, tzinfo=UTC)
    return [_backup(last - timedelta(days=n)) for n in reversed(range(count))]


def _kept(backups: list[Backup], rule: str) -> list[str]:
    gone = retention.expired(backups, rule)
    return [f"{b.time:%m-%d}" for b in backups if b not in gone]


def test_the_last_of_each_day_week_and_month_is_kept() -> None:
    assert _kept(_nightly(90), "3d") == ["03-29", "03-30", "03-31"]
    assert _kept(_nightly(90), "2d,3w") == ["03-22", "03-29", "03-30", "03-31"]
    assert _kept(_nightly(90), "1d,3m") == ["01-31", "02-28", "03-31"]


def test_two_of_one_day_count_once_and_the_later_is_kept() -> None:
    noon = datetime(2026, 3, 31, 12, tzinfo=UTC)
    backups = [*_nightly(2), _backup(noon)]
    assert [b.time.hour for b in backups if b not in retention.expired(backups, "2d")] == [2, 12]


@pytest.mark.parametrize("rule", ["0d", "0d,0w,0m,0y"])
def test_the_newest_of_each_database_is_never_forgotten(rule: str) -> None:
    other = _backup(datetime(2020, 1, 1, tzinfo=UTC), "other")
    backups = [other, *_nightly(5)]
    assert _kept(backups, rule) == ["01-01", "03-31"]


def test_those_that_cannot_be_restored_push_out_none_that_can() -> None:
    good, *bad = _nightly(4)
    backups = [good, *(replace(backup, restorable=False) for backup in bad)]
    assert [b.id for b in retention.expired(backups, "1d")] == [b.id for b in bad[:-1]]


def test_the_same_name_on_another_installation_is_another_database() -> None:
    later = replace(_backup(datetime(2026, 4, 1, tzinfo=UTC)), installation="staging-1234")
    backups = [*_nightly(2), later]
    assert [b.id for b in retention.expired(backups, "1d")] == [backups[0].id]


def test_those_made_by_hand_are_of_one_origin_though_each_container_has_its_own_name() -> None:
    by_hand = [replace(b, installation=f"{n:012x}") for n, b in enumerate(_nightly(5))]
    assert _kept(by_hand, "2d") == ["03-30", "03-31"]


def test_a_backup_prepares_private_folders_and_gives_the_manifest(stack: Stack) -> None:
    runner_of(stack).answers[f"{RUN} backup create"] = says(json.dumps(MANIFEST))
    made = repository.create(stack, FakeReporter(), BackupRequest())
    assert made.id == RECORD.id and made.files == RECORD.files
    for folder in (stack.settings.backup_folder, stack.settings.secrets_folder / "backup"):
        assert folder.stat().st_mode & 0o777 == 0o700
    assert "20260101-020000-abcd" in render.summary(RECORD)
    assert any("Odoo 18.0" in line for line in render.details(RECORD))


def test_a_repository_elsewhere_has_a_way_out_and_no_folder(stack: Stack) -> None:
    settings = replace(stack.settings, backup_repository="s3:https://host/bucket")
    there = replace(stack, settings=settings)
    runner_of(stack).answers[f"{RUN} backup_offsite create"] = says(json.dumps(MANIFEST))
    assert repository.create(there, FakeReporter(), BackupRequest())
    assert not settings.backup_folder.exists()


def test_without_a_key_nothing_is_started(stack: Stack) -> None:
    (stack.settings.secrets_folder / "backup_key.txt").unlink()
    with pytest.raises(OpsError, match=r"backup_key\.txt does not exist"):
        repository.create(stack, FakeReporter(), BackupRequest())
    assert not runner_of(stack).ran(RUN)


def test_the_key_is_asked_for_until_it_was_shown(stack: Stack) -> None:
    runner, heard = runner_of(stack), FakeReporter()
    runner.answers[f"{RUN} backup create"] = says(json.dumps(MANIFEST))
    repository.create(stack, heard, BackupRequest())
    assert "inv backup.key" in "".join(heard.said)
    with pytest.raises(OpsError, match="the key of the backups elsewhere"):
        nightly.plan(stack, BackupRequest(), on=True)
    assert state.key(stack.settings) == "k" * 43
    repository.create(stack, quiet := FakeReporter(), BackupRequest())
    assert "inv backup.key" not in "".join(quiet.said)
    (stack.settings.secrets_folder / "backup_key.txt").write_text("n" * 43)
    assert not state.key_was_shown(stack.settings)


def test_the_key_is_shown_where_nothing_can_be_written(stack: Stack) -> None:
    (stack.settings.state_folder / "backup-key-shown").mkdir(parents=True)
    assert state.key(stack.settings) == "k" * 43


def test_a_nightly_backup_forgets_what_the_rule_does_not_keep(stack: Stack) -> None:
    runner = runner_of(stack)
    runner.answers[f"{RUN} backup create"] = says(json.dumps(MANIFEST))
    known = [stored(f"2026010{day}-020000-abcd", f"2026-01-0{day}T02:00:00Z") for day in (1, 2)]
    runner.answers[f"{RUN} backup list"] = says(json.dumps(known))
    runner.answers[f"{RUN} backup forget"] = says('{"forgotten": [], "snapshots": 0}')
    settings = replace(stack.settings, backup_keep="1d")
    repository.create(replace(stack, settings=settings), FakeReporter(), BackupRequest(forget=True))
    assert runner.ran(f"{RUN} backup forget 20260101-020000-abcd")
    assert nightly.job(settings).argv[1:] == ("backup", "--prune")


def test_a_repository_that_was_there_has_to_be_there_again(stack: Stack, tmp_path: Path) -> None:
    runner = runner_of(stack)
    runner.answers[f"{RUN} backup create"] = says(json.dumps(MANIFEST))
    repository.create(stack, FakeReporter(), BackupRequest())
    assert not runner.ran(f"{RUN} backup create --existing")
    repository.create(stack, FakeReporter(), BackupRequest(new_repository=True))
    assert not runner.ran(f"{RUN} backup create --existing")
    elsewhere = replace(stack.settings, backup_folder=tmp_path / "other")
    repository.create(replace(stack, settings=elsewhere), FakeReporter(), BackupRequest())
    assert not runner.ran(f"{RUN} backup create --existing")
    repository.create(replace(stack, settings=elsewhere), FakeReporter(), BackupRequest())
    assert runner.ran(f"{RUN} backup create --existing")


def test_a_folder_of_backups_keeps_the_mode_it_has(stack: Stack) -> None:
    stack.settings.backup_folder.mkdir(mode=0o755)
    stack.settings.backup_folder.chmod(0o1777)
    runner_of(stack).answers[f"{RUN} backup list"] = says("[]")
    repository.listed(stack, FakeReporter())
    assert stack.settings.backup_folder.stat().st_mode & 0o7777 == 0o1777


def test_only_files_are_replaced_and_no_two_by_one(stack: Stack, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a:b").mkdir()
    file = str(tmp_path / "b.sql")
    for request in (
        BackupRequest(plain=str(tmp_path / "pipe")),
        BackupRequest(plain=str(tmp_path)),
        BackupRequest(zipped="/dev/null"),
        BackupRequest(plain=str(tmp_path / "a:b" / "b.sql")),
        BackupRequest(plain=file, zipped=file),
    ):
        with pytest.raises(UsageError):
            repository.create(stack, FakeReporter(), request)
    assert not runner_of(stack).calls


def test_a_file_is_written_by_way_of_its_folder(stack: Stack, tmp_path: Path) -> None:
    runner = runner_of(stack)
    runner.answers[f"{RUN} backup create"] = says(json.dumps(MANIFEST))
    runner.answers[f"{RUN} --volume"] = says("{}")
    repository.create(stack, FakeReporter(), BackupRequest(plain=str(tmp_path / "b.sql")))
    assert runner.ran(f"{RUN} --volume {tmp_path}:/out backup export {MANIFEST['id']} --plain")
    with pytest.raises(UsageError, match="its folder must exist"):
        repository.create(
            stack, FakeReporter(), BackupRequest(zipped=str(tmp_path / "none" / "b.zip"))
        )


def test_another_database_is_backed_up_by_its_name(stack: Stack) -> None:
    runner = runner_of(stack)
    runner.answers["docker exec odoo_db psql"] = says("odoo\npostgres\nstaging\n")
    runner.answers[f"{RUN} backup create"] = says(json.dumps({**MANIFEST, "database": "staging"}))
    repository.create(stack, FakeReporter(), BackupRequest(database="staging"))
    assert runner.ran(f"{RUN} backup create --database staging --configuration")
    for name in ("no such; thing", "odoo__before", "postgres"):
        with pytest.raises(UsageError, match="not the name of a database"):
            repository.create(stack, FakeReporter(), BackupRequest(database=name))


@pytest.mark.parametrize(
    ("code", "stderr", "message", "hint"),
    [
        (1, "… saving\nhint: Do it.\nerror: no space left\n", "no space left", "Do it."),
        (137, "… saving\n", "BACKUP_MEMORY", ""),
        (125, "no such image\n", "no such image", ""),
        (1, "", "gave no reason", ""),
    ],
)
def test_a_failure_keeps_its_reason(code: int, stderr: str, message: str, hint: str) -> None:
    error = service.failure(Completed((), code, "", stderr))
    assert message in error.message and error.hint == hint


def test_prune_forgets_what_the_rule_does_not_keep(stack: Stack) -> None:
    rows = [stored(b.id, b.time.isoformat()) for b in _nightly(3)]
    runner = runner_of(stack)
    runner.answers[f"{RUN} backup list"] = says(json.dumps(rows))
    runner.answers[f"{RUN} backup forget"] = says("{}")
    assert len(repository.prune(stack, FakeReporter(), "2d", rehearse=True)) == 1
    assert not runner.ran(f"{RUN} backup forget")
    repository.prune(stack, FakeReporter(), "2d", rehearse=False)
    assert runner.ran(f"{RUN} backup forget 20260329-020000")
    with pytest.raises(UsageError, match="no rule"):
        repository.prune(stack, FakeReporter(), "7 days", rehearse=True)


@pytest.mark.parametrize("url", ["notaurl", "https://", "file:///etc/passwd", "foo://t0ken"])
def test_an_address_that_is_none_is_refused_before_the_work(stack: Stack, url: str) -> None:
    with pytest.raises(UsageError, match="--notify"):
        repository.create(stack, FakeReporter(), BackupRequest(tell=url))
    assert not runner_of(stack).calls


def test_the_record_of_a_restore_test_says_what_was_found(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "probe", lambda runner: None)
    runner = runner_of(stack)
    runner.answers[f"{RUN} restore stage"] = says(json.dumps(MANIFEST))
    runner.answers[f"{RUN} restore discard"] = says("{}")
    found = {"login": "admin", "downloads": 3}
    runner.answers[f"{RUN} --env"] = says(json.dumps(found))
    record = verify.verify(stack, FakeReporter(), "latest")
    assert "2 rows in 1 tables" in record.line
    assert json.loads((verified.folder(stack.settings) / f"{record.id}.json").read_text())
    runner.answers[f"{RUN} --env"] = says(code=1, stderr="error: nobody gets in")
    with pytest.raises(OpsError, match="nobody gets in"):
        verify.verify(stack, FakeReporter(), "latest")
    assert runner.calls[-1][-4:] == ["discard", "odoo__drill", "--data", "/drill"]
    runner.answers[f"{RUN} restore discard"] = says(code=1, stderr="error: PostgreSQL went away")
    with pytest.raises(OpsError, match="nobody gets in"):  # the first failure, not the last
        verify.verify(stack, left := FakeReporter(), "latest")
    assert "PostgreSQL went away" in left.said[-1]


def test_both_outcomes_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[dict[str, str]] = []
    monkeypatch.setattr(http, "tell", lambda url, body, timeout: heard.append(dict(body)))
    with notify.outcome(["https://x.test"], "ipai") as told:
        told["id"] = "one"
    with pytest.raises(OpsError), notify.outcome(["https://x.test"], "ipai"):
        raise OpsError("the disk is full")
    assert [(h["status"], h["id"], h["message"]) for h in heard] == [
        ("ok", "one", ""),
        ("failed", "", "the disk is full"),
    ]


def test_an_address_that_nobody_answers_at_hides_no_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def deaf(url: str, body: dict[str, str], timeout: float) -> None:
        raise OpsError("it answers with status 500")

    monkeypatch.setattr(http, "tell", deaf)
    reason = r"https://x.test/\*\*\* was not told: it answers with status 500"
    targets = ["https://x.test/t0ken"]
    both = rf"the disk is full \({reason}\)"
    with pytest.raises(OpsError, match=both), notify.outcome(targets, "i"):
        raise OpsError("the disk is full")
    with pytest.raises(OpsError, match=f"but {reason}"), notify.outcome(targets, "i"):
        pass
