"""`inv db.list`, `db.drop` and `db.copy`: what is listed, refused, asked and run."""

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.backups import databases
from scripts.core.errors import OpsError, UsageError
from scripts.stack import engine
from scripts.stack.compose import Stack
from tests.unit.support.backups import HERE, RUN, ready_stack, runner_of
from tests.unit.support.fakes import FakeReporter, says
from toolbox.backup import inventory
from toolbox.contract.databases import Dropped, Kind, by_name, needed
from toolbox.core import filestore

_SWAPPED = '{"database": "training", "replaced": false}'


def _entry(name: str, kind: Kind = Kind.COPY, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "bytes": 2_000_000,
        "file_bytes": 1_000,
        "odoo": "18.0",
        "neutralized": False,
        **more,
    }


_LIVE = _entry("odoo", Kind.LIVE, needed="it is the platform's own", hint="inv restore")
_BEFORE = _entry("odoo__before", Kind.BEFORE, odoo=None, neutralized=None)
_KNOWN = [_LIVE, _BEFORE, _entry("staging"), _entry("ledger", Kind.OTHER, odoo=None)]


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    made = ready_stack(tmp_path, monkeypatch)
    monkeypatch.setattr(engine, "probe", lambda runner: None)
    runner_of(made).answers |= {
        f"{RUN} restore inventory": says(json.dumps(_KNOWN)),
        f"{RUN} restore drop": says('{"name": "staging", "left": ["staging__before"]}'),
        f"{RUN} restore stage-copy": says('{"id": "x", "databases": {}, "missing_files": 0}'),
        f"{RUN} restore swap": says(_SWAPPED),
        f"{RUN} --env": says(HERE),
    }
    return made


@pytest.mark.parametrize(
    ("name", "kind", "base"),
    [
        ("odoo", Kind.LIVE, "odoo"),
        ("staging", Kind.COPY, "staging"),
        ("odoo__before", Kind.BEFORE, "odoo"),
        ("my_odoo__s1700000000", Kind.SNAPSHOT, "my_odoo"),
        ("odoo__s17", Kind.COPY, "odoo__s17"),
        ("odoo__drill", Kind.TEMPORARY, "odoo"),
        ("odoo__rehearsal", Kind.TEMPORARY, "odoo"),
        ("odoo__undone", Kind.TEMPORARY, "odoo"),
        ("odoo__unfinished", Kind.TEMPORARY, "odoo"),
        ("__before", Kind.COPY, "__before"),
    ],
)
def test_a_name_tells_what_a_database_is_for(name: str, kind: Kind, base: str) -> None:
    assert by_name(name, "odoo") == (kind, base)


@pytest.mark.parametrize(
    ("name", "present", "reason"),
    [
        ("odoo", {"odoo"}, "the platform's own"),
        ("odoo__unfinished", set(), "a first start is filling it"),
        ("odoo__before", set(), "the way back to it"),
        ("odoo__before", {"odoo"}, ""),
        ("odoo__s1700000000", set(), "the way back to it"),
        ("staging__before", {"odoo"}, ""),
        ("staging", {"odoo", "staging__before"}, ""),
        ("odoo__restoring", {"odoo"}, ""),
    ],
)
def test_what_is_needed_is_not_dropped(name: str, present: set[str], reason: str) -> None:
    said, hint = needed(name, "odoo", present)
    assert reason in said and bool(said) == bool(reason) == bool(hint)


@pytest.mark.parametrize(
    ("comment", "is_open"),
    [('{"state": "open"}', True), ('{"state": "closed"}', False), ("", False), ('"open"', False)],
)
def test_the_snapshot_of_an_unfinished_change_is_known_by_its_comment(
    comment: str, is_open: bool
) -> None:
    assert inventory._is_open(comment) is is_open


def test_files_without_a_database_are_listed_and_those_of_the_live_one_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filestore, "folder", lambda name: tmp_path / name)
    for name in ("odoo", "gone", "there"):
        (tmp_path / name / "ab").mkdir(parents=True)
        (tmp_path / name / "ab" / "abc").write_text("12345")
    gone, live = inventory._without_database({"there"})
    assert (gone.name, gone.kind, gone.file_bytes, gone.needed) == ("gone", Kind.FILES, 5, "")
    assert live.name == "odoo" and live.needed


def test_the_list_says_what_is_what(stack: Stack) -> None:
    rows = databases.table(databases.listed(stack, FakeReporter())).rows
    assert rows == [
        ["odoo", "live", "18.0", "no", "2.0 MB", "0.0 MB"],
        ["odoo__before", "undo of the last restore", "", "", "2.0 MB", "0.0 MB"],
        ["staging", "copy", "18.0", "no", "2.0 MB", "0.0 MB"],
        ["ledger", "not of Odoo", "", "no", "2.0 MB", "0.0 MB"],
    ]


def test_a_drop_that_cannot_be_is_refused_before_anybody_is_asked(stack: Stack) -> None:
    reporter = FakeReporter()
    with pytest.raises(OpsError, match="odoo is not dropped: it is the platform's own"):
        databases.drop(stack, reporter, "odoo")
    with pytest.raises(UsageError, match="there is no database 'stagin'") as caught:
        databases.drop(stack, reporter, "stagin")
    assert "odoo, odoo__before, staging" in caught.value.hint
    assert not reporter.asked and not runner_of(stack).ran(f"{RUN} restore drop")


def test_a_drop_says_what_goes_with_it(stack: Stack) -> None:
    reporter = FakeReporter(answer=False)
    with pytest.raises(OpsError, match="nothing was dropped"):
        databases.drop(stack, reporter, "odoo__before")
    (question,) = reporter.asked
    assert "odoo__before (undo of the last restore, 2.0 MB, files 0.0 MB)" in question
    assert "`inv restore --undo` has nothing to go back to" in question
    assert not runner_of(stack).ran(f"{RUN} restore drop")
    done = databases.drop(stack, FakeReporter(), "staging")
    assert databases.dropped(done)[-1] == "Of it there is still: staging__before"
    assert runner_of(stack).ran(f"{RUN} restore drop -- staging")
    assert databases.dropped(Dropped(name="x")) == ["x and its files are gone"]


@pytest.mark.parametrize(
    ("source", "to", "said"),
    [
        ("odoo", "staging", "there is a database 'staging' already"),
        ("nosuch", "training", "there is no database 'nosuch'"),
        ("odoo__before", "training", "accepts no connections"),
        ("ledger", "training", "is not a database of Odoo"),
        ("odoo", "Training!", "cannot be the name"),
        ("odoo", "odoo__before", "cannot be the name"),
    ],
)
def test_a_copy_that_cannot_be_is_refused_before_anybody_is_asked(
    stack: Stack, source: str, to: str, said: str
) -> None:
    reporter = FakeReporter()
    with pytest.raises(OpsError, match=said):
        databases.copy(stack, reporter, source, to)
    assert not reporter.asked and not runner_of(stack).ran(f"{RUN} restore stage-copy")


def test_a_copy_that_could_reach_customers_is_made_only_if_somebody_agrees(stack: Stack) -> None:
    reporter = FakeReporter(answer=False)
    with pytest.raises(OpsError, match="nothing was copied"):
        databases.copy(stack, reporter, "odoo", "training")
    assert "reach customers" in reporter.asked[0]
    assert not runner_of(stack).ran(f"{RUN} restore stage-copy")
    done = databases.copy(stack, FakeReporter(), "odoo", "training")
    assert done.lines[-1].startswith("It is not neutralised")
    runner = runner_of(stack)
    assert runner.ran(f"{RUN} restore stage-copy -- odoo training__restoring")
    assert runner.ran(f"{RUN} restore swap training") and not runner.ran(f"{RUN} --env")


def test_a_neutralised_copy_needs_no_word_and_is_scanned(stack: Stack) -> None:
    reporter = FakeReporter(answer=False)
    databases.copy(stack, reporter, "odoo", "training", neutralize=True)
    assert not reporter.asked
    runner = runner_of(stack)
    assert runner.ran(f"{RUN} --env ODOO_DATABASE=training__restoring odoo_drill odoo neutralize")
    assert runner.ran(f"{RUN} restore swap training --scan")


def test_a_copy_that_is_not_harmless_is_thrown_away(stack: Stack) -> None:
    runner = runner_of(stack)
    alive = "error: the copy is not neutralised: mail servers: live"
    runner.answers[f"{RUN} restore swap"] = says(code=1, stderr=alive)
    with pytest.raises(OpsError, match="mail servers: live"):
        databases.copy(stack, FakeReporter(), "odoo", "training", neutralize=True)
    assert runner.ran(f"{RUN} restore discard training__restoring")
