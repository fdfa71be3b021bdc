"""What the commands make of their words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from invoke.context import Context

from scripts.backups import repository, restore
from scripts.commands import backup, jobs
from scripts.commands import restore as restore_commands
from scripts.commands.session import Session
from scripts.core.console import Console
from scripts.core.process import SystemRunner
from scripts.supabase import jobs as queue
from tests.unit.support.fakes import settings_in


class _PassedError(Exception):
    """Raised where a command has passed its words on."""


@pytest.fixture
def passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Any, ...]]:
    """What a command passes on of the words of a person in /data."""
    session = Session(settings_in(tmp_path), SystemRunner(), Console.standard(), Path("/data"))

    def take(*words: Any, **_: Any) -> None:
        raise _PassedError(*words)

    monkeypatch.setattr(restore, "restore", take)
    monkeypatch.setattr(repository, "create", take)
    monkeypatch.setattr(queue, "enqueue", take)
    monkeypatch.setattr(queue.Queue, "of", lambda *_: None)
    monkeypatch.setattr(backup, "open_to_change", lambda *_, **__: session)
    monkeypatch.setattr(restore_commands, "open_to_change", lambda *_, **__: session)
    monkeypatch.setattr(jobs, "open_session", lambda *_, **__: session)

    def call(command: Callable[..., Any], **words: str) -> tuple[Any, ...]:
        with pytest.raises(_PassedError) as caught:
            command(Context(), **words)
        return caught.value.args

    return call


@pytest.mark.parametrize(
    ("source", "meant"),
    [
        ("x.sql", "/data/x.sql"),
        ("./2026", "/data/2026"),
        ("/z.sql", "/z.sql"),
        ("latest", "latest"),
        ("20261123-02", "20261123-02"),
    ],
)
def test_a_file_to_restore_is_meant_from_the_folder_of_the_call(
    passed: Callable[..., tuple[Any, ...]], source: str, meant: str
) -> None:
    [*_, wanted] = passed(restore_commands.restore_task, source=source)
    assert wanted.source == meant


def test_files_of_a_backup_are_meant_from_the_folder_of_the_call(
    passed: Callable[..., tuple[Any, ...]],
) -> None:
    request = passed(backup.backup_create, plain="x.sql")[-1]
    assert (request.plain, request.zipped) == ("/data/x.sql", "")


def test_the_payload_of_a_job_is_meant_from_the_folder_of_the_call(
    passed: Callable[..., tuple[Any, ...]],
) -> None:
    assert "@/data/job.json" in passed(jobs.jobs_enqueue, payload="@job.json")
    assert '{"a": 1}' in passed(jobs.jobs_enqueue, payload='{"a": 1}')
