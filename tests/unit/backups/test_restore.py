"""Restores: what is asked, put back, undone."""

import json
from dataclasses import replace
from typing import Any

import pytest

from scripts.backups import restore
from scripts.backups.moments import Moment
from scripts.backups.wanted import Wanted, validate
from scripts.core.completed import Completed
from scripts.core.errors import OpsError, UsageError
from scripts.core.settings import Environment
from scripts.stack import engine, lifecycle
from scripts.stack.compose import Stack
from tests.unit.support.backups import HERE, MANIFEST, RUN, STORED, runner_of
from tests.unit.support.fakes import FakeReporter, says


def offers(**databases: int) -> Completed:
    """What `restore offer` says of MANIFEST."""
    offer = {"backup": {**MANIFEST, "stored": STORED}, "databases": databases, "handle": "aGFuZGxl"}
    return says(json.dumps(offer))


def test_a_restore_that_nobody_agrees_to_stages_nothing(stack: Stack) -> None:
    runner = runner_of(stack)
    runner.answers["docker version"] = says(json.dumps({"Server": {"Version": "27"}}))
    runner.answers[f"{RUN} restore offer"] = offers(odoo=5)
    runner.answers[f"{RUN} --env"] = says(HERE)
    reporter = FakeReporter(answer=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "probe", lambda runner: None)
        with pytest.raises(OpsError, match="nothing was restored"):
            restore.restore(stack, reporter, Wanted("latest"))
    assert "20260101-020000-abcd" in reporter.asked[0] and "'odoo'" in reporter.asked[0]
    assert not runner.ran(f"{RUN} restore stage")


@pytest.mark.parametrize(
    ("environment", "name", "neutralize", "warned"),
    [
        (Environment.DEV, "", False, True),
        (Environment.DEV, "", True, False),
        (Environment.DEV, "staging", False, False),
        (Environment.PROD, "", False, False),
    ],
)
def test_a_copy_that_would_live_in_development_is_warned_of_and_asked_for(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, environment: Environment, name: str,
    neutralize: bool, warned: bool,
) -> None:  # fmt: skip
    monkeypatch.setattr(engine, "probe", lambda runner: None)
    runner, reporter = runner_of(stack), FakeReporter(answer=False)
    runner.answers[f"{RUN} restore offer"] = offers(postgres=1)  # there is nothing to replace
    runner.answers[f"{RUN} --env"] = says(HERE)
    runner.answers[f"{RUN} restore stage"] = says(code=1, stderr="error: that far\n")
    settings = replace(stack.settings, environment=environment)
    with pytest.raises(OpsError, match="nothing was restored" if warned else "that far"):
        here = replace(stack, settings=settings)
        restore.restore(here, reporter, Wanted("latest", to=name, neutralize=neutralize))
    assert any("scheduled actions" in said for said in reporter.said) == warned
    assert bool(reporter.asked) == warned
    assert runner.ran(f"{RUN} restore stage") != warned


def test_where_no_odoo_says_its_version_nothing_is_restored(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "probe", lambda runner: None)
    runner = runner_of(stack)
    runner.answers[f"{RUN} restore offer"] = offers(postgres=1)
    runner.answers[f"{RUN} --env"] = says(code=78, stderr="no such database")
    with pytest.raises(OpsError, match="no such database"):
        restore.restore(stack, FakeReporter(), Wanted("latest"))
    assert not runner.ran(f"{RUN} restore stage")


@pytest.mark.parametrize(
    ("here", "said"),
    [
        ('{"odoo": "19.0", "modules": ["base"]}', "of Odoo 18.0, and Odoo 19.0 runs here"),
        ('{"odoo": "18.0", "modules": ["web"]}', "modules are missing"),
    ],
)
def test_a_backup_that_the_odoo_here_cannot_run_is_refused_before_anything_is_done(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, here: str, said: str
) -> None:
    monkeypatch.setattr(engine, "probe", lambda runner: None)
    runner, reporter = runner_of(stack), FakeReporter(answer=False)
    runner.answers[f"{RUN} restore offer"] = offers(odoo=5)
    runner.answers[f"{RUN} --env"] = says(here)
    with pytest.raises(OpsError, match=said):
        restore.restore(stack, reporter, Wanted("latest"))
    assert not runner.ran(f"{RUN} restore stage")
    if "missing" in said:
        assert "not on disk here: base" in " ".join(reporter.said)


def test_a_clone_is_made_of_the_repository_that_was_there(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "probe", lambda runner: None)
    runner = runner_of(stack)
    runner.answers[f"{RUN} backup create"] = says(json.dumps({**MANIFEST, "handle": "aGFuZGxl"}))
    runner.answers[f"{RUN} restore databases"] = says('{"odoo": 5}')
    runner.answers[f"{RUN} restore stage"] = says(json.dumps({**MANIFEST, "databases": {}}))
    runner.answers[f"{RUN} restore swap"] = says('{"database": "staging", "replaced": false}')
    for option in ("--database", "--existing"):  # the first is remembered
        restore.clone(stack, FakeReporter(), "", "staging")
        assert runner.ran(f"{RUN} backup create {option}")
        assert runner.ran(f"{RUN} restore swap staging --scan")
        runner.calls.clear()


def test_a_clone_that_cannot_be_made_is_refused_before_anybody_is_asked(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "probe", lambda runner: None)
    runner_of(stack).answers[f"{RUN} restore databases"] = says('{"odoo": 5, "staging": 6}')
    reporter = FakeReporter(answer=False)
    with pytest.raises(UsageError, match="there is no database 'nosuch'"):
        restore.clone(stack, reporter, "nosuch", "staging")
    assert not reporter.asked
    with pytest.raises(OpsError, match="there is a database 'staging', which was not to be"):
        restore.clone(stack, reporter, "", "staging")
    assert not runner_of(stack).ran(f"{RUN} backup create")


def test_undo_heeds_what_it_is_told_or_refuses(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "probe", lambda runner: None)
    runner = runner_of(stack)
    runner.answers[f"{RUN} restore databases"] = says('{"odoo": 5, "proof": 6, "proof__before": 7}')
    runner.answers[f"{RUN} restore back"] = says("{}")
    done = restore.undo(stack, FakeReporter(), "proof")
    assert done.database == "proof"
    assert runner.ran(f"{RUN} restore back proof") and not runner.ran("docker compose stop odoo")
    with pytest.raises(OpsError, match="nothing to go back to"):
        restore.undo(stack, FakeReporter())


@pytest.mark.parametrize(
    "given",
    [
        {"source": "20260101", "undo": True},
        {"undo": True, "neutralize": True},
        {"undo": True, "of": "x"},
        {"configuration": True, "undo": True},
        {"configuration": True, "neutralize": True},
        {"configuration": True, "to": "x"},
        {"configuration": True, "of": "x"},
        {"undo": True, "at": Moment("2026-11-28T12:00:00+00:00")},
        {"configuration": True, "at": Moment("2026-11-28T12:00:00+00:00")},
        {"source": "20260101", "at": Moment("2026-11-28T12:00:00+00:00")},
        {"archive": "other-1"},
    ],
)
def test_no_option_of_a_restore_is_left_out(given: dict[str, Any]) -> None:
    switches = {name: given.pop(name, False) for name in ("configuration", "undo")}
    with pytest.raises(
        UsageError, match=r"^--(undo takes|configuration goes|at takes|archive goes)"
    ):
        validate(Wanted(**given), **switches)


def test_a_file_that_is_not_there_is_told_before_anything_starts(stack: Stack) -> None:
    with pytest.raises(UsageError, match="there is no file /nowhere/x"):
        restore.restore(stack, FakeReporter(), Wanted("/nowhere/x"))
    with pytest.raises(UsageError, match="--from-database is for a file"):
        restore.restore(stack, FakeReporter(), Wanted("latest", of="x"))
    assert runner_of(stack).calls == []


def test_what_was_there_is_put_back_however_far_a_killed_restore_came(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "probe", lambda runner: None)
    monkeypatch.setattr(lifecycle, "resume_odoo", lambda stack, reporter: None)
    runner = runner_of(stack)
    runner.answers[f"{RUN} restore offer"] = offers(odoo=5)
    staged = {**MANIFEST, "databases": {"odoo": 5}}
    runner.answers[f"{RUN} restore stage"] = says(json.dumps(staged))
    runner.answers[f"{RUN} restore swap"] = Completed((), 137, "", "")
    runner.answers[f"{RUN} --env"] = says(HERE)
    runner.answers[f"{RUN} restore discard"] = says("{}")
    runner.answers[f"{RUN} restore back"] = says("{}")
    runner.answers[f"{RUN} restore databases"] = says('{"odoo": 9, "odoo__before": 5}')
    with pytest.raises(OpsError) as caught:
        restore.restore(stack, FakeReporter(), Wanted("latest"))
    assert "is there again" in caught.value.hint
    assert runner.ran(f"{RUN} restore back odoo")


@pytest.mark.parametrize(
    "name",
    [
        "Odoo",
        "a-b",
        "x" * 51,
        "odoo__before",
        "odoo__drill",
        "odoo__restoring",
        "odoo__s0123456789",
        "postgres",
        "template0",
        "template1",
    ],
)
def test_a_name_that_no_copy_can_have_is_refused(stack: Stack, name: str) -> None:
    with pytest.raises(UsageError, match=name):
        restore.clone(stack, FakeReporter(), "", name)
    with pytest.raises(UsageError, match=name):
        restore.undo(stack, FakeReporter(), name)
    with pytest.raises(UsageError, match=name) as caught:
        restore.restore(stack, FakeReporter(), Wanted("latest", to=name))
    assert "PostgreSQL's own" in caught.value.hint
    assert not runner_of(stack).calls
