"""Signals while a program runs that `inv` has started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts.core.settings import ROOT
from tests.support.waiting import eventually


def _terminated(child: str, folder: Path, more: str = "") -> subprocess.Popen[str]:
    """A process that runs `child`, and prints 'terminated' when a SIGTERM has ended that."""
    code = f"""
from scripts.core.interruption import TerminatedError, raise_on_sigterm
from scripts.core.process import SystemRunner
raise_on_sigterm()
try:
    SystemRunner().run(["sh", "-c", {child!r}]{more})
except TerminatedError:
    print("terminated")
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )


_PUT_RIGHT = "trap 'sleep 0.2; echo right > put; exit 1' TERM"
_WAIT = "sleep 60 >/dev/null 2>&1 & wait"


@pytest.mark.parametrize("numbers", [[signal.SIGTERM], [signal.SIGHUP, signal.SIGHUP]])
@pytest.mark.parametrize("more", ["", ", on_line=print"])
def test_a_termination_reaches_what_runs_and_waits_for_it(
    tmp_path: Path, numbers: list[signal.Signals], more: str
) -> None:
    with _terminated(f"{_PUT_RIGHT}; echo > ready; {_WAIT}", tmp_path, more) as ours:
        assert eventually((tmp_path / "ready").exists, 30, interval=0.02)
        for number in numbers:  # a terminal that is closed sends it, and the shell once more
            ours.send_signal(number)
            time.sleep(0.05)
        assert ours.communicate(timeout=30)[0] == "terminated\n"
    assert (tmp_path / "put").read_text() == "right\n"


@pytest.mark.parametrize("stdin", ["None", "'x' * 1_000_000"])
def test_a_signal_that_interrupts_no_read_is_noticed_all_the_same(
    tmp_path: Path, stdin: str
) -> None:
    # As one that comes just before the read: it is delivered to another thread.
    (tmp_path / "other.py").write_text("""
import pathlib, signal, threading, time
def strike() -> None:
    while not pathlib.Path("ready").exists():
        time.sleep(0.01)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
threading.Thread(target=strike, daemon=True).start()
""")
    more = f", on_line=__import__('other') and None, stdin={stdin}"
    with _terminated(f"{_PUT_RIGHT}; echo > ready; {_WAIT}", tmp_path, more) as ours:
        assert ours.communicate(timeout=30)[0] == "terminated\n"
    assert (tmp_path / "put").read_text() == "right\n"


def test_a_termination_reaches_the_children_of_what_runs(tmp_path: Path) -> None:
    # As `docker` starts Compose, to which it passes no signal on.
    grandchild = f"sh -c '{_PUT_RIGHT.replace(chr(39), chr(34))}; echo > ready; sleep 60 & wait'"
    with _terminated(f"{grandchild}; :", tmp_path) as ours:
        assert eventually((tmp_path / "ready").exists, 30, interval=0.02)
        ours.send_signal(signal.SIGTERM)
        assert ours.communicate(timeout=30)[0] == "terminated\n"
    assert (tmp_path / "put").read_text() == "right\n"


@pytest.mark.parametrize("name", ["TERM", "HUP"])
def test_a_termination_while_a_process_is_starting_reaches_it(tmp_path: Path, name: str) -> None:
    with _terminated(f"{_PUT_RIGHT}; kill -{name} $PPID; {_WAIT}", tmp_path) as ours:
        assert ours.communicate(timeout=30)[0] == "terminated\n"
    assert (tmp_path / "put").read_text() == "right\n"


def test_what_nohup_has_started_outlives_the_terminal(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        ours = _terminated("kill -HUP $PPID; echo done > put", tmp_path)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert ours.communicate(timeout=30)[0] == ""
    assert (tmp_path / "put").read_text() == "done\n"
