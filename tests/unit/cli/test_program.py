"""What `inv` does with a command line: which commands run, and how they end."""

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from invoke.collection import Collection
from invoke.context import Context

from scripts.cli.program import Inv
from scripts.core.errors import UsageError
from scripts.core.tasklib import command
from tasks import GROUPS
from tasks import namespace as real


def _inv(*bodies: Callable[..., None], words: str) -> int:
    """The exit code of `inv WORDS`, where the commands are `bodies`."""
    options = {"json": "For machines."}
    commands = [command(options)(body) for body in bodies]
    try:
        Inv(Collection(*commands), {"All": commands}).run(["inv", *words.split()])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def well(c: Context, json: bool = False) -> None:
    raise SystemExit(0)


def badly(c: Context, json: bool = False) -> None:
    raise SystemExit(3)


def after(c: Context, json: bool = False) -> None:
    print("after")


def wrong(c: Context, json: bool = False) -> None:
    raise UsageError("that cannot be")


def denied(c: Context, json: bool = False) -> None:
    raise PermissionError(errno.EACCES, "Permission denied", "/srv/x")


def long(c: Context, json: bool = False) -> None:
    Path("x" * 300).stat()


def buggy(c: Context, json: bool = False) -> None:
    Path("/nonexistent/x").stat()


@pytest.mark.parametrize(("first", "code", "printed"), [(well, 0, "after\n"), (badly, 3, "")])
def test_a_command_that_ends_well_is_followed_by_the_next(
    capsys: pytest.CaptureFixture[str], first: Callable[..., None], code: int, printed: str
) -> None:
    words = f"{first.__name__} after"
    assert _inv(first, after, words=words) == code
    assert capsys.readouterr().out == printed


def test_a_usage_error_without_a_hint_names_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert _inv(wrong, words="wrong --json") == 2
    shown = capsys.readouterr()
    assert shown.err == "error: that cannot be\nhint: inv help wrong\n"
    assert json.loads(shown.out) == {"error": "that cannot be", "hint": "inv help wrong"}


@pytest.mark.parametrize(("body", "named"), [(denied, "/srv/x: Perm"), (long, "xxx: File name")])
def test_what_the_machine_refuses_is_no_traceback(
    capsys: pytest.CaptureFixture[str], body: Callable[..., None], named: str
) -> None:
    assert _inv(body, words=f"{body.__name__} --json") == 1
    shown = capsys.readouterr()
    assert named in shown.err and "hint: " in shown.err
    assert named in json.loads(shown.out)["error"]


def test_what_may_be_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(FileNotFoundError):
        _inv(buggy, words="buggy")


def test_files_of_invoke_s_own_are_for_other_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".invoke.yaml").write_text("run: [\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert _inv(well, words="well") == 0


@pytest.mark.parametrize("words", ["help help", "help --help", "--help help", "--echo help", ""])
def test_help_of_help_is_the_overview(capsys: pytest.CaptureFixture[str], words: str) -> None:
    Inv(real, GROUPS).run(["inv", *words.split()])
    assert capsys.readouterr().out.startswith("Usage: inv COMMAND")
