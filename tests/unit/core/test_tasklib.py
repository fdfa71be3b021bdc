import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from scripts.commands.session import Session
from scripts.core.console import Console
from scripts.core.errors import OpsError, UsageError
from scripts.core.process import SystemRunner
from scripts.core.tasklib import EXIT_INTERRUPTED, command
from tests.conftest import ROOT
from tests.unit.support.fakes import settings_in


def test_a_flag_without_help_is_refused_when_the_module_is_imported() -> None:
    with pytest.raises(TypeError, match="restore"):

        @command({"yes": "Do not ask."})
        def restore(c: Context, yes: bool = False, archive: str = "") -> None: ...


def test_help_for_a_flag_that_is_not_there_is_refused_too() -> None:
    with pytest.raises(TypeError, match="restore"):

        @command({"yes": "Do not ask."})
        def restore(c: Context) -> None: ...


@pytest.mark.parametrize(
    ("error", "code", "shown"),
    [
        (OpsError("it broke", "repair it"), 1, "error: it broke\nhint: repair it\n"),
        (OpsError("it broke"), 1, "error: it broke\n"),
        (UsageError("wrong flag", "try --help"), 2, "error: wrong flag\nhint: try --help\n"),
        (KeyboardInterrupt(), EXIT_INTERRUPTED, "error: interrupted\n"),
    ],
)
def test_an_error_for_people_becomes_an_exit_code_and_lines_on_standard_error(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, shown: str
) -> None:
    @command()
    def broken(c: Context) -> None:
        raise error

    with pytest.raises(Exit) as caught:
        broken(Context())
    assert caught.value.code == code
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", shown)


def test_a_bug_keeps_its_traceback() -> None:
    @command()
    def buggy(c: Context) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        buggy(Context())


def test_an_error_of_a_command_with_json_is_an_object_as_well(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @command({"json": "For machines."})
    def broken(c: Context, json: bool = False) -> None:
        raise OpsError("it broke", "repair it")

    with pytest.raises(Exit):
        broken(Context(), json=True)
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"error": "it broke", "hint": "repair it"}
    assert captured.err == "error: it broke\nhint: repair it\n"


def test_a_path_is_meant_from_the_folder_of_the_call_by_each_of_its_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    code = (
        "from invoke.context import Context\n"
        "from scripts.commands.session import open_session\n"
        "for given in ('x.sql', '../y.sql', '/z.sql', '~/w.sql'):\n"
        "    print(open_session(Context()).path(given))\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.stderr == ""
    paths = [f"{tmp_path}/x.sql", f"{tmp_path}/../y.sql", "/z.sql", "/home/me/w.sql"]
    assert done.stdout.splitlines() == paths


def test_the_home_of_nobody_is_a_usage_error(tmp_path: Path) -> None:
    session = Session(settings_in(tmp_path), SystemRunner(), Console.standard(), tmp_path)
    with pytest.raises(UsageError, match="~no-such-user/x: there is no such user"):
        session.path("~no-such-user/x")


@pytest.mark.parametrize("name", ["archive", "other"])
def test_only_an_option_with_a_default_can_be_an_optional_positional(name: str) -> None:
    with pytest.raises(TypeError, match=name):

        @command({"archive": "Which.", "since": "When."}, positional=(name,))
        def restore(c: Context, archive: str, since: str = "") -> None: ...


def test_a_default_is_never_none() -> None:
    with pytest.raises(TypeError, match="since"):

        @command({"since": "When."})
        def restore(c: Context, since: str | None = None) -> None: ...
