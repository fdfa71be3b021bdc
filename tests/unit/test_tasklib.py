import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from scripts.core.errors import OpsError, UsageError
from scripts.core.tasklib import EXIT_INTERRUPTED, command


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
