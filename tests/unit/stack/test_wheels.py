from pathlib import Path
from zipfile import ZipFile

import pytest

from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.stack import wheels
from tests.conftest import ROOT
from tests.unit.support.fakes import FakeReporter, FakeRunner, says

_IMAGE = says('["18.0", "3.12", "aarch64", 39]')


class _Pip(FakeRunner):
    """A pip that delivers what was asked for and, like the real one, what that wants."""

    def _answer(self, argv: object) -> Completed | OpsError:
        words = list(argv) if isinstance(argv, list) else []
        if "pip" in words:
            target, source = (Path(words[words.index(f) + 1]) for f in ("--dest", "--find-links"))
            (target / "a-1-py3-none-any.whl").write_text("")
            for wheel in source.iterdir():
                with ZipFile(wheel) as archive:
                    assert archive.testzip() is None
                (target / wheel.name).write_bytes(wheel.read_bytes())
        return super()._answer(words)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "requirements.txt").write_text("# A module:\nodoo-addon-a\n")
    return tmp_path


def _fetch(context: Path, runner: FakeRunner) -> list[str]:
    reporter = FakeReporter()
    wheels.fetch(runner, reporter, context, "base:1", context / "log")
    return reporter.said


def test_wheels_are_fetched_for_the_python_and_the_machine_of_the_image(context: Path) -> None:
    runner = _Pip({"docker run": _IMAGE})
    _fetch(context, runner)
    pip = runner.calls[-1]
    assert pip[pip.index("--python-version") + 1] == "3.12"
    platforms = [pip[at + 1] for at, word in enumerate(pip) if word == "--platform"]
    assert platforms[0] == "manylinux_2_39_aarch64"
    assert platforms[-2:] == ["manylinux_2_17_aarch64", "manylinux2014_aarch64"]


def test_no_wheel_that_only_says_it_is_odoo_gets_into_the_image(context: Path) -> None:
    _fetch(context, _Pip({"docker run": _IMAGE}))
    found = {path.name for path in (context / "wheels").iterdir()}
    assert found == {"a-1-py3-none-any.whl", "fetched-for.txt"}
    written = (context / "wheels" / "fetched-for.txt").read_text()
    assert written == (context / "requirements.txt").read_text()


def test_where_pip_fails_nothing_is_left_and_the_build_is_to_try(context: Path) -> None:
    failed = says(code=1, stderr="ERROR: No matching distribution found for a")
    runner = FakeRunner({"docker run": _IMAGE, "": failed})
    said = _fetch(context, runner)
    assert said[-1] == "ERROR: No matching distribution found for a: left to the build"
    assert not (context / "wheels").exists()


@pytest.mark.parametrize("text", ["", "# nothing\n\n  # at all\n"])
def test_without_requirements_nothing_is_asked_and_old_wheels_go(context: Path, text: str) -> None:
    (context / "wheels").mkdir()
    (context / "requirements.txt").write_text(text)
    runner = FakeRunner()
    assert _fetch(context, runner) == []
    assert not runner.calls and not (context / "wheels").exists()


def test_the_requirements_of_the_repository_ask_for_nothing() -> None:
    assert not wheels.wanted(ROOT / "odoo")
