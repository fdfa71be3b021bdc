"""Whether anything runs the lines of crontabs on this machine."""

import os
import sys
from pathlib import Path
from typing import Final

_NAMES: Final = {"cron", "crond", "fcron", "bcron-sched"}
_PID_FILES: Final = ("crond.pid", "cron.pid", "fcron.pid")


def runs(proc: Path = Path("/proc"), run: Path = Path("/run")) -> bool:
    """Whether a cron daemon runs here; True on macOS, whose launchd starts it when needed.

    One in a container of this machine does not count: it reads other crontabs.
    """
    if sys.platform == "darwin":
        return True
    return any(_is_cron(folder) for folder in proc.glob("[1-9]*")) or any(
        _is_hidden(run / name, proc) for name in _PID_FILES
    )


def _is_hidden(pid_file: Path, proc: Path) -> bool:
    """Whether a file names a process that is there, and hidden from this user (hidepid)."""
    try:
        pid = int(pid_file.read_text())
        os.kill(pid, 0)
    except PermissionError:
        return not (proc / str(pid)).exists()
    except (OSError, ValueError, OverflowError):
        return False
    return False


def _is_cron(folder: Path) -> bool:
    try:
        if (folder / "comm").read_text().strip() not in _NAMES:
            return False
        status = (folder / "status").read_text()
    except OSError:  # it has ended
        return False
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    ended = fields.get("State", "").split()[:1] == ["Z"]  # and nobody has asked how
    # One number for each namespace of processes that it is in, beginning with ours.
    return not ended and len(fields.get("NSpid", "").split()) <= 1
