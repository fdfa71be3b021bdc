import os
import subprocess
import sys
from pathlib import Path

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from scripts.core.errors import OpsError, UsageError
from scripts.core.tasklib import EXIT_INTERRUPTED, command
from tests.conftest import ROOT

_TASKS = """
from invoke.collection import Collection
from scripts.commands.session import open_session
from scripts.core.tasklib import command

@command({"file": "Which one."})
def where(c, file):
    print(open_session(c).path(file))

@command({"mode": "Which kind.", "domain": "Names.", "schedule": "Every day."},
         positional=("mode",))
def setup_tls(c, mode="", domain="", schedule=False):
    print(f"setup-tls mode={mode!r} domain={domain!r} schedule={schedule}")

@command({"archive": "Which one.", "jobs": "How many at once."}, positional=("jobs",))
def restore(c, archive, jobs=2):
    print(f"restore archive={archive!r} jobs={jobs!r}")

@command()
def up(c):
    print("up")

namespace = Collection(setup_tls, up, restore, where)
"""


def test_a_flag_without_help_is_refused_when_the_module_is_imported() -> None:
    with pytest.raises(TypeError, match="restore"):

        @command({"yes": "Do not ask."})
        def restore(c: Context, yes: bool = False, archive: str = "") -> None: ...


def test_help_for_a_flag_that_is_not_there_is_refused_too() -> None:
    with pytest.raises(TypeError, match="restore"):

        @command({"yes": "Do not ask."})
        def restore(c: Context) -> None: ...


def test_the_help_of_a_flag_ends_with_its_default() -> None:
    @command({"tail": "Lines.", "follow": "Go on.", "service": "Which."})
    def logs(c: Context, tail: int = 100, follow: bool = False, service: str = "") -> None: ...

    assert logs.help == {"tail": "Lines. (default: 100)", "follow": "Go on.", "service": "Which."}


@pytest.mark.parametrize(
    ("error", "code", "shown"),
    [
        (OpsError("it broke", "mend it"), 1, "error: it broke\nhint: mend it\n"),
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


def test_a_flag_swallowed_as_a_value_stops_the_task_before_it_begins(
    capsys: pytest.CaptureFixture[str],
) -> None:
    began = []

    @command({"archive": "What to restore."})
    def restore(c: Context, archive: str) -> None:
        began.append(archive)

    for arguments in ({"archive": "--help"}, {"archive": "--yes"}):
        with pytest.raises(Exit) as caught:
            restore(Context(), **arguments)
        assert caught.value.code == 2
        assert repr(arguments["archive"]) in capsys.readouterr().err
    restore(Context(), archive="monday-backup")
    assert began == ["monday-backup"]


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    (tmp_path / "tasks.py").write_text(_TASKS)
    return tmp_path


def _inv(scratch: Path, words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "invoke", "--search-root", str(scratch), *words.split()]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(argv, cwd=scratch, env=env, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        ("setup-tls", ["setup-tls mode='' domain='' schedule=False"]),
        ("setup-tls own", ["setup-tls mode='own' domain='' schedule=False"]),
        ("setup-tls --mode own", ["setup-tls mode='own' domain='' schedule=False"]),
        ("setup-tls own --domain a", ["setup-tls mode='own' domain='a' schedule=False"]),
        ("setup-tls --domain a own", ["setup-tls mode='own' domain='a' schedule=False"]),
        ("setup-tls --domain a", ["setup-tls mode='' domain='a' schedule=False"]),
        ("setup-tls --schedule", ["setup-tls mode='' domain='' schedule=True"]),
        ("setup-tls --schedule own", ["setup-tls mode='own' domain='' schedule=True"]),
        ("up setup-tls own", ["up", "setup-tls mode='own' domain='' schedule=False"]),
        ("up setup-tls", ["up", "setup-tls mode='' domain='' schedule=False"]),
        ("setup-tls own up", ["setup-tls mode='own' domain='' schedule=False", "up"]),
        # As with Invoke's own positionals, the next word is the value, whatever it is.
        ("setup-tls up", ["setup-tls mode='up' domain='' schedule=False"]),
        ("restore monday", ["restore archive='monday' jobs=2"]),
        ("restore monday 7 up", ["restore archive='monday' jobs=7", "up"]),
    ],
)
def test_a_positional_with_a_default_may_be_left_out(
    scratch: Path, words: str, printed: list[str]
) -> None:
    done = _inv(scratch, words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == printed


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        ("restore", 1, "did not receive required positional arguments: 'archive'"),
        ("setup-tls own other", 1, "No idea what 'other' is"),
        ("setup-tls --mode", 1, "needed value"),
        ("restore monday x", 1, "--jobs: 'x' is no whole number"),
        ("setup-tls --help", 2, "'--help' is a flag, not a value"),
        ("setup-tls --typo", 2, "'--typo' is a flag, not a value"),
        ("restore --help", 2, "'--help' is a flag, not a value"),
        ("restore -h", 2, "'-h' is a flag, not a value"),
        ("setup-tls -x", 2, "'-x' is a flag, not a value"),
    ],
)
def test_a_wrong_call_never_begins_the_task(
    scratch: Path, words: str, code: int, error: str
) -> None:
    done = _inv(scratch, words)
    assert (done.returncode, done.stdout) == (code, "")
    assert error in done.stderr


def test_the_help_of_an_optional_positional_shows_it_as_a_flag(scratch: Path) -> None:
    done = _inv(scratch, "--help setup-tls")
    assert done.returncode == 0
    assert "--mode=STRING     Which kind.\n" in done.stdout
    assert "(default: 2)" in _inv(scratch, "--help restore").stdout


def test_a_path_is_meant_from_the_folder_of_the_call_by_each_of_its_commands(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    done = _inv(scratch, "where x.sql where ../y.sql where /z.sql where ~/w.sql")
    assert done.stderr == ""
    paths = [f"{scratch}/x.sql", f"{scratch}/../y.sql", "/z.sql", "/home/me/w.sql"]
    assert done.stdout.splitlines() == paths


@pytest.mark.parametrize("name", ["archive", "other", "since"])
def test_only_a_flag_with_a_default_can_be_an_optional_positional(name: str) -> None:
    with pytest.raises(TypeError, match=name):

        @command({"archive": "Which.", "since": "When."}, positional=(name,))
        def restore(c: Context, archive: str, since: str | None = None) -> None: ...
