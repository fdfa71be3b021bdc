"""Files that others made: what is asked of the sandbox, and of the restore after it."""

import json
from pathlib import Path

import pytest

from scripts.backups import foreign_files, restore
from scripts.backups.wanted import Wanted
from scripts.core.completed import Completed
from scripts.core.errors import OpsError, UsageError
from scripts.stack import engine
from scripts.stack.compose import Stack
from tests.unit.support.backups import MANIFEST, RUN, ready_stack, runner_of
from tests.unit.support.fakes import FakeReporter, says


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    monkeypatch.setattr(engine, "probe", lambda runner: None)
    stack = ready_stack(tmp_path, monkeypatch)
    answers = runner_of(stack).answers
    answers["docker image inspect --format {{range .Config.Env}}"] = says("ODOO_VERSION=18.0\n")
    answers[f"{RUN} restore databases"] = says('{"odoo": 5}')
    answers[f"{RUN} --volume"] = says(json.dumps({**MANIFEST, "databases": {"odoo": 5}}))
    answers[f"{RUN} restore swap"] = says('{"database": "staging", "replaced": false}')
    answers[f"{RUN} restore scan"] = says('{"scanned": [], "databases": {"odoo": 5}}')
    answers[f"{RUN} restore discard"] = says("{}")
    return stack


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "downloads"
    folder.mkdir()
    (folder / "private.txt").write_text("of somebody else")
    (folder / "dump of theirs").write_text("-- PostgreSQL database dump")
    return folder / "dump of theirs"


def _runs(stack: Stack) -> list[list[str]]:
    """The words of each call after the container's name."""
    calls = runner_of(stack).calls
    return [call[call.index("--name") + 2 :] for call in calls if "--name" in call]


def test_a_file_is_read_in_the_sandbox_before_anything_else_sees_it(
    stack: Stack, file: Path
) -> None:
    restore.restore(stack, FakeReporter(), Wanted(str(file), to="staging", neutralize=True))
    words = [" ".join(call) for call in _runs(stack)]
    mount = f"--volume {file}:/in/{file.name}:ro"
    assert words[1:] == [
        f"{mount} sandbox /in/{file.name}",
        f"{mount} restore stage-file /in/{file.name} staging__restoring --live staging --odoo 18.0",
        "--env ODOO_DATABASE=staging__restoring --env PGUSER=odoo_restore odoo_drill"
        " odoo neutralize -d staging__restoring",
        "restore swap staging --scan",
    ]


@pytest.mark.parametrize("step", ["sandbox", "neutralize", "scan"])
def test_nothing_is_put_in_place_after_a_failure(
    stack: Stack, file: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    runner = runner_of(stack)
    answer = runner._answer
    broken = Completed((), 1, "", "hint: do that\nerror: no")
    monkeypatch.setattr(runner, "_answer", lambda argv: broken if step in argv else answer(argv))
    with pytest.raises(OpsError):
        restore.restore(stack, FakeReporter(), Wanted(str(file), neutralize=True))
    assert not [call for call in _runs(stack) if "swap" in call]
    discarded = [call for call in _runs(stack) if "discard" in call]
    assert len(discarded) == (0 if step == "sandbox" else 1)


def test_the_wanted_database_of_several_is_named_to_the_sandbox(stack: Stack, file: Path) -> None:
    restore.restore(stack, FakeReporter(), Wanted(str(file), to="staging", of="second"))
    assert [call[-2:] for call in _runs(stack) if "sandbox" in call] == [["--database", "second"]]
    with pytest.raises(UsageError, match="from-database"):
        restore.restore(stack, FakeReporter(), Wanted("latest", to="staging", of="second"))


def test_the_sandbox_has_no_way_to_a_repository_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stack: Stack, file: Path
) -> None:
    monkeypatch.setattr(type(stack.settings), "backups_elsewhere", True)
    answers = runner_of(stack).answers
    for step in ("databases", "swap"):
        answers[f"{RUN} restore_offsite {step}"] = answers[f"{RUN} restore {step}"]
    restore.restore(stack, FakeReporter(), Wanted(str(file), to="staging"))
    services = [
        word for call in _runs(stack) for word in call if "offsite" in word or word == "sandbox"
    ]
    assert services == ["restore_offsite", "sandbox", "restore_offsite", "restore_offsite"]


@pytest.mark.parametrize("name", ["latest", "2026", "20261123-0200", "20261123-020000-ab12"])
def test_what_looks_like_a_backup_s_name_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).touch()
    assert foreign_files.file(name) is None
    assert foreign_files.file(f"./{name}") == tmp_path / name


@pytest.mark.parametrize("name", ["backup.dump", "folder", "x.sql.zst", "backup"])
def test_a_file_is_known_by_its_being_there_not_by_its_ending(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        foreign_files.file(str(tmp_path / name))
    (tmp_path / name).mkdir() if name == "folder" else (tmp_path / name).touch()
    assert foreign_files.file(str(tmp_path / name)) == tmp_path / name


def test_the_password_of_the_role_is_in_no_argument(stack: Stack, file: Path) -> None:
    foreign_files.prepare(stack)
    call = " ".join(runner_of(stack).calls[-1])
    assert "exec --interactive odoo_db psql" in call
    assert "ALTER ROLE odoo_restore RESET ALL" in call  # what the last file may have set
    assert "GRANT odoo_restore TO odoo" in call and "rolpassword FROM pg_authid" in call
