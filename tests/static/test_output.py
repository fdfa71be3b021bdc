"""Where the output of `inv` goes somewhere odd, or it is interrupted: no traceback, no lie."""

import os
import pty
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.static.support.project import ROOT

_INV = str(ROOT / "scripts" / "inv")
_COMMANDS = [
    "", "--list", "--list --list-format=json", "--help setup-tls", "help module", "--version",
    "secrets --check", "secrets --check --json", "--print-completion-script bash",
    "--complete 'module.'",
]  # fmt: skip
_FULL = "error: cannot write to standard output: No space left on device\n"


def _shell(line: str, **env: str) -> subprocess.CompletedProcess[str]:
    # Python that buffers nothing fails earlier than Python that does.
    variables = {**os.environ, "NO_COLOR": "1", "COMPOSE_PROJECT_NAME": "t-output", **env}
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env=variables,
    )


@pytest.mark.parametrize("buffered", ["", "1"])
@pytest.mark.parametrize("command", _COMMANDS)
def test_a_reader_that_has_had_enough_is_no_error(command: str, buffered: str) -> None:
    done = _shell(f"{_INV} {command} | true", PYTHONUNBUFFERED=buffered)
    assert done.returncode in (0, 141), done.stderr
    assert "Traceback" not in done.stderr and "ignored" not in done.stderr, done.stderr
    both = _shell(f"{_INV} {command} 2>&1 | true", PYTHONUNBUFFERED=buffered)
    assert both.returncode in (0, 1, 141), "120 is an output that was lost without a word"


@pytest.mark.parametrize("buffered", ["", "1"])
@pytest.mark.parametrize("command", _COMMANDS)
def test_a_full_disk_behind_standard_output_is_said(command: str, buffered: str) -> None:
    done = _shell(f"{_INV} {command} >/dev/full", PYTHONUNBUFFERED=buffered)
    assert (done.returncode, done.stderr) == (1, _FULL)


@pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-"])
def test_a_closed_stream_is_no_traceback(closed: str) -> None:
    done = _shell(f"{_INV} secrets {closed} --check")
    assert done.returncode in (0, 1)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_every_encoding_has_some_sign_for_ours(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "docker").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "docker").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = _shell(f"{_INV} health; {_INV} --list", PYTHONIOENCODING=encoding, PATH=path)
    assert done.stderr == ""
    sign = "✓" if encoding == "utf-8" else "+"
    assert f"Backups: {sign} OK" in done.stdout, done.stdout
    assert "Nginx: ? UNKNOWN: the Docker engine cannot be asked" in done.stdout


def test_ctrl_c_at_any_moment_is_no_traceback() -> None:
    random.seed(13)
    for _ in range(8):
        process = subprocess.Popen(
            [_INV, "secrets", "--check"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        time.sleep(0.1 + random.random() * 0.5)
        os.killpg(process.pid, signal.SIGINT) if process.poll() is None else None
        _, errors = process.communicate(timeout=60)
        assert "Traceback" not in errors


def test_the_output_of_a_terminal_is_what_was_written() -> None:
    main, side = pty.openpty()
    try:
        process = subprocess.Popen([_INV, "--version"], stdout=side, stderr=side)
        assert process.wait(60) == 0
        assert os.read(main, 100).startswith(b"ipai-platform ")
    finally:
        os.close(main)
        os.close(side)


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, "\033[31merror:\033[0m 'nosuch' is not a command\r\n\033[36mhint:\033[0m inv help"),
        ({"NO_COLOR": "1"}, "error: 'nosuch' is not a command\r\nhint: inv help"),
        ({"TERM": "dumb"}, "error: 'nosuch' is not a command\r\nhint: inv help"),
    ],
)
def test_an_error_has_a_colour_on_a_terminal_that_wants_colours(
    env: dict[str, str], expected: str
) -> None:
    main, side = pty.openpty()
    plain = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    try:
        command, variables = [_INV, "nosuch"], {**plain, "TERM": "xterm", **env}
        assert subprocess.run(command, stdout=side, stderr=side, env=variables).returncode == 2
        assert os.read(main, 1000).decode().startswith(expected)
    finally:
        os.close(main)
        os.close(side)
    piped = subprocess.run(command, capture_output=True, text=True, env=variables).stderr
    assert piped.startswith("error: 'nosuch' is not a command\nhint: inv help")


def test_calls_after_the_first_find_compiled_modules_unless_nobody_wants_them(
    tmp_path: Path,
) -> None:
    for name in ("scripts", "toolbox", "requirements"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "tasks.py", tmp_path)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    command = f"{tmp_path}/scripts/inv --list"
    assert _shell(command, PYTHONDONTWRITEBYTECODE="1").returncode == 0
    assert not list(tmp_path.glob("scripts/**/*.pyc"))
    assert _shell(command).returncode == 0
    assert list(tmp_path.glob("scripts/commands/__pycache__/backup.*.pyc"))
