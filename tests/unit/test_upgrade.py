"""What an upgrade would change, and what it does when nobody agrees."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from scripts import upgrade
from scripts.core.errors import OpsError, UsageError
from scripts.stack import release
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeReporter, FakeRunner, says, settings_in

_EXAMPLE = "# What it is for.\n#OLD=1\n#NEW=\nBOTH=1\n"


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    (tmp_path / ".env.example").write_text(_EXAMPLE)
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n## 0.2.0 - 2026\n")
    return Stack(settings_in(tmp_path), FakeRunner({"git": says("abc123\n")}))


def test_the_version_is_the_last_one_of_the_changelog_with_the_commit(stack: Stack) -> None:
    here = release.here(stack.settings, stack.runner)
    assert here.name == "0.2.0 (abc123)"
    assert here.settings == ("OLD", "NEW", "BOTH")


def test_what_was_started_is_remembered(stack: Stack) -> None:
    assert release.started(stack.settings) is None
    here = release.here(stack.settings, stack.runner)
    release.remember(stack.settings, here)
    assert release.started(stack.settings) == here


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 1}', '{"settings": 5}', "\xff"])
def test_a_damaged_note_of_what_was_started_is_none(stack: Stack, text: str) -> None:
    release.remember(stack.settings, release.here(stack.settings, stack.runner))
    (file,) = stack.settings.state_folder.glob("started.json")
    file.write_bytes(text.encode("latin-1"))
    assert release.started(stack.settings) is None


def test_settings_that_are_new_or_gone_are_named(stack: Stack) -> None:
    here = release.here(stack.settings, stack.runner)
    release.remember(stack.settings, replace(here, settings=("OLD", "BOTH", "GONE", "UNUSED")))
    stack.settings.env_file.write_text("GONE=1\nOWN=2\nBOTH=3\n")
    plan = upgrade.plan(stack, FakeReporter())
    assert (plan.new_settings, plan.gone_settings) == (("NEW",), ("GONE",))
    assert not plan.checked and not plan.empty
    assert "The platform is down: modules and migrations were not looked at" in plan.lines


def test_a_platform_that_was_never_started_has_no_new_settings(stack: Stack) -> None:
    plan = upgrade.plan(stack, FakeReporter())
    assert (plan.started, plan.new_settings, plan.gone_settings) == ("", (), ())


def test_nothing_is_touched_where_nobody_agrees(stack: Stack) -> None:
    plan = upgrade.plan(stack, FakeReporter())
    runner = stack.runner
    assert isinstance(runner, FakeRunner)
    before = len(runner.calls)
    with pytest.raises(OpsError, match="nothing was upgraded"):
        upgrade.upgrade(stack, FakeReporter(answer=False), plan)
    assert len(runner.calls) == before


def test_wrong_settings_are_refused_before_anybody_is_asked(stack: Stack) -> None:
    stack.settings.env_file.write_text("ODOO_PROT=8070\n")
    plan = upgrade.plan(stack, FakeReporter())
    reporter = FakeReporter()
    with pytest.raises(UsageError, match="ODOO_PROT"):
        upgrade.upgrade(stack, reporter, plan)
    assert reporter.asked == []


def test_nothing_is_done_where_there_is_nothing_to_upgrade(stack: Stack) -> None:
    plan = replace(upgrade.plan(stack, FakeReporter()), started="1", here="1", checked=True)
    assert upgrade.upgrade(stack, FakeReporter(), plan) == ["There is nothing to upgrade"]
    assert json.dumps(plan.lines)
