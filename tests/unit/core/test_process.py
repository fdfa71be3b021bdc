import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.core.interruption import uninterrupted
from scripts.core.process import CommandFailedError, SystemRunner
from tests.conftest import ROOT
from tests.support.waiting import eventually

_SECRET = "s3cret-value"
_SHY = SystemRunner(redact=lambda text: text.replace(_SECRET, "***"))


def _python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_result_has_code_and_both_streams() -> None:
    done = SystemRunner().run(
        _python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"),
        check=False,
    )
    assert (done.code, done.stdout, done.stderr, done.ok) == (3, "out\n", "err\n", False)


def test_a_failure_shows_the_command_its_code_and_its_last_lines() -> None:
    with pytest.raises(CommandFailedError) as caught:
        SystemRunner().run(["sh", "-c", "seq 100 >&2; exit 4"])
    assert "failed with exit code 4" in caught.value.message
    assert caught.value.message.endswith("\n  99\n  100")
    assert "\n  80\n" not in caught.value.message
    assert caught.value.completed.code == 4


def test_a_missing_program_is_named() -> None:
    with pytest.raises(OpsError, match="'no-such-program' is not installed"):
        SystemRunner().run(["no-such-program", "--flag"])
    with pytest.raises(OpsError, match="'no-such-program' is not installed"):
        SystemRunner().replace_process(["no-such-program"])


def test_a_program_that_hangs_is_given_up_on() -> None:
    with pytest.raises(OpsError, match="gave no answer within"):
        SystemRunner().run(["sleep", "60"], timeout=0.05)


def test_nothing_is_read_from_our_own_input_unless_given() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"typed ahead\n")
    os.close(writing)
    ours = os.dup(0)
    os.dup2(reading, 0)
    try:
        assert SystemRunner().run(["cat"]).stdout == ""
    finally:
        os.dup2(ours, 0)
        os.close(ours)
        os.close(reading)
    assert SystemRunner().run(["cat"], stdin="given ✓").stdout == "given ✓"


def test_added_variables_join_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLD", "kept")
    done = SystemRunner().run(["sh", "-c", 'echo "$OLD $NEW"'], env={"NEW": "added"})
    assert done.stdout == "kept added\n"


def test_a_shell_never_sees_the_arguments() -> None:
    assert SystemRunner().run(["printf", "%s", "$HOME; `id`"]).stdout == "$HOME; `id`"


def test_a_given_stream_receives_both_outputs(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as stream:
        done = SystemRunner().run(["sh", "-c", "echo out; echo err >&2"], stdout=stream)
    assert log.read_text() == "out\nerr\n"
    assert done.stdout == ""


def test_lines_of_errors_are_told_as_they_come_without_secrets() -> None:
    heard: list[tuple[str, float]] = []
    done = _SHY.run(
        ["sh", "-c", f"echo one >&2; echo {_SECRET} >&2; sleep 0.3; echo out; printf end >&2"],
        on_line=lambda line: heard.append((line, time.monotonic())),
    )
    assert [line for line, _ in heard] == ["one", "***", "end"]
    assert heard[2][1] - heard[0][1] > 0.2
    assert (done.stdout, done.stderr) == ("out\n", "one\n***\nend")


def test_lines_that_are_told_go_into_a_given_stream_as_well(tmp_path: Path) -> None:
    heard: list[str] = []
    log = tmp_path / "log"
    with log.open("wb") as stream:
        done = SystemRunner().run(
            ["sh", "-c", "echo out; echo err >&2"], stdout=stream, on_line=heard.append
        )
    assert log.read_text() == "out\nerr\n"
    assert heard == ["out", "err"] and (done.stdout, done.stderr) == ("", "")


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_program_whose_lines_are_told_ends_in_time_and_leaves_no_pipe() -> None:
    before = _open_files()
    with pytest.raises(OpsError, match="gave no answer within"):
        SystemRunner().run(["sh", "-c", "echo a >&2; sleep 60"], timeout=0.2, on_line=print)
    with pytest.raises(OpsError, match="is not installed"):
        SystemRunner().run(["no-such-program"], on_line=print)
    deadline = time.monotonic() + 10
    while _open_files() > before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert _open_files() == before


def test_bytes_that_are_no_text_do_not_crash() -> None:
    assert SystemRunner().run(["printf", r"a\377b"]).stdout == "a\ufffdb"


def test_a_dry_run_shows_changes_and_runs_only_questions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runner = SystemRunner(dry=True)
    assert runner.run(["touch", str(tmp_path / "made")], changes=True).ok
    assert runner.detach(["touch", str(tmp_path / "made")], tmp_path / "log") == 0
    with pytest.raises(SystemExit) as caught:
        runner.replace_process(["touch", str(tmp_path / "made")])
    assert caught.value.code == 0
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err.count("$ touch") == 3
    assert runner.run(["echo", "asked"]).stdout == "asked\n"


def test_echo_shows_the_command_line_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    runner = SystemRunner(echo=True, redact=_SHY.redact)
    runner.run(["echo", _SECRET, "two words"])
    assert capsys.readouterr().err == "$ echo *** 'two words'\n"


def test_secrets_are_taken_out_of_both_outputs() -> None:
    done = _SHY.run(["sh", "-c", 'echo "$X"; echo "$X" >&2'], env={"X": _SECRET})
    assert (done.stdout, done.stderr) == ("***\n", "***\n")


def test_secrets_are_taken_out_of_the_error_of_a_failed_command() -> None:
    with pytest.raises(CommandFailedError) as caught:
        _SHY.run(["sh", "-c", 'echo "$0"; exit 1', _SECRET])
    assert _SECRET not in caught.value.message


def test_secrets_are_taken_out_of_the_error_of_a_hanging_command() -> None:
    with pytest.raises(OpsError) as caught:
        _SHY.run(["sh", "-c", "exec sleep 60", _SECRET], timeout=0.05)
    assert _SECRET not in caught.value.message


@pytest.mark.parametrize(
    ("stdout", "stderr", "last"),
    [
        ("out\n", "one\n two \n\n", "two"),
        ("out\nmore\n", "", "more"),
        ("", "refused\n\tIs it running?\n", "refused"),
        ("", "", ""),
    ],
)
def test_the_last_line_prefers_the_errors(stdout: str, stderr: str, last: str) -> None:
    assert Completed((), 1, stdout, stderr).last_line == last


def test_no_process_outlives_its_time_limit(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="no answer"):
        SystemRunner().run(
            ["sh", "-c", f"sleep 60 >/dev/null 2>&1 & echo $! > {tmp_path}/pid; wait"], timeout=0.5
        )
    pid = int((tmp_path / "pid").read_text())
    assert eventually(lambda: _has_ended(pid), 30, interval=0.02)


def _has_ended(pid: int) -> bool:
    try:
        return "Z" in Path(f"/proc/{pid}/stat").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_program_in_our_place_ends_silently_where_its_reader_has_gone() -> None:
    code = """
from scripts.core.interruption import raise_on_sigterm
from scripts.core.process import SystemRunner
raise_on_sigterm()
SystemRunner().replace_process(["sh", "-c", "yes"])
"""
    with subprocess.Popen(
        _python(code), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as ours:
        assert ours.stdout and ours.stderr
        assert ours.stdout.readline() == b"y\n"
        ours.stdout.close()
        assert ours.stderr.read() == b""
    assert ours.returncode in (-signal.SIGPIPE, 128 + signal.SIGPIPE)


@pytest.fixture
def interrupts() -> Iterator[None]:
    """SIGINT as at a terminal: what starts in the background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_an_interruption_waits_until_it_is_resumed() -> None:
    reached = []
    with pytest.raises(KeyboardInterrupt), uninterrupted() as resume:
        signal.raise_signal(signal.SIGINT)
        reached.append("postponed")
        resume()
        reached.append("never")
    assert reached == ["postponed"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


_SESSION = "import os; print(os.getsid(0), os.getpid(), flush=True)"


def test_no_ctrl_c_of_the_terminal_reaches_a_program_by_itself() -> None:
    assert len(set(SystemRunner().run(_python(_SESSION)).stdout.split())) == 1


def test_no_ctrl_c_of_the_terminal_reaches_an_interactive_program() -> None:
    with SystemRunner().interact(_python(f"{_SESSION}; input()")) as process:
        assert len(set(process.read_line().split())) == 1
