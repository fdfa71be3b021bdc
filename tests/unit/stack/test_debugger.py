from pathlib import Path

import pytest

from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.core.process import CommandFailedError
from scripts.stack import debugger
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeReporter, FakeRunner, settings_in


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "debug.lock").write_text("debugpy==1\n")
    (tmp_path / ".state" / "debugpy").mkdir(parents=True)
    return tmp_path


def _ensure(root: Path, runner: FakeRunner, *, debug: bool = True) -> list[str]:
    reporter = FakeReporter()
    debugger.ensure(Stack(settings_in(root, debug=debug), runner), reporter)
    return reporter.said


class _Pip(FakeRunner):
    """A pip that puts something into its target."""

    def _answer(self, argv: object) -> Completed | OpsError:
        words = list(argv) if isinstance(argv, list) else []
        (Path(words[words.index("--target") + 1]) / "debugpy").mkdir(parents=True)
        return super()._answer(words)


def test_nothing_is_fetched_unless_it_was_asked_for(root: Path) -> None:
    runner = FakeRunner()
    assert _ensure(root, runner, debug=False) == []
    assert not runner.calls


def test_debugpy_is_fetched_once_for_each_version(root: Path) -> None:
    runner = _Pip()
    assert _ensure(root, runner)[-1] == "Debugger: debugpy listens on 127.0.0.1:5678"
    _ensure(root, runner)
    (argv,) = runner.calls
    assert "--require-hashes" in argv and "--only-binary=:all:" in argv
    (root / "requirements" / "debug.lock").write_text("debugpy==2\n")
    _ensure(root, runner)
    assert len(runner.calls) == 2


def test_what_could_not_be_fetched_is_fetched_the_next_time(root: Path) -> None:
    failed = Completed(("pip",), 1, "", "no network")
    runner = FakeRunner({"": CommandFailedError(failed)})
    for _ in range(2):
        with pytest.raises(CommandFailedError, match="no network"):
            _ensure(root, runner)
    assert len(runner.calls) == 2


def test_a_rehearsal_changes_nothing(root: Path) -> None:
    _ensure(root, FakeRunner(dry=True))
    assert list((root / ".state" / "debugpy").iterdir()) == []
