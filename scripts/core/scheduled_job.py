"""A periodic job, and how systemd and cron spell it."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# The jobs there are; the name of each is that of the project and one of these.
BACKUP: Final = "backup"
RENEWAL: Final = "renew-tls"
HEALTH: Final = "health"
# So many minutes apart, cron can have a job run regularly.
INTERVALS: Final = tuple(minutes for minutes in range(1, 61) if 60 % minutes == 0)
_NAME: Final = r"[a-z0-9][a-z0-9_-]*"  # any name of a Compose project fits
# cron gives jobs /usr/bin:/bin only; Docker is elsewhere on macOS, and root's tools are too.
_CRON_PATH: Final = "$PATH:/usr/local/bin:/opt/homebrew/bin:/usr/sbin:/sbin"


@dataclass(frozen=True)
class ScheduledJob:
    """What to run, from which folder, and at which hours of the day (local time).

    Or so many minutes apart, where `every` is not 0.
    """

    name: str
    description: str
    argv: tuple[str, ...]
    folder: Path
    hours: tuple[int, ...] = ()
    success_codes: tuple[int, ...] = (0,)  # systemd calls any other a failure; cron ignores them
    every: int = 0  # minutes
    silent: bool = False  # nobody reads what it prints, errors aside

    def __post_init__(self) -> None:
        """Raises ValueError for a job that no scheduler could run."""
        texts = (self.description, str(self.folder), *self.argv)
        if not re.fullmatch(_NAME, self.name):
            raise ValueError(f"{self.name!r} cannot be the name of a job")
        if not self.argv or not self.argv[0].startswith("/") or not self.folder.is_absolute():
            raise ValueError("a scheduler needs the full paths of the program and the folder")
        if self.every not in (0, *INTERVALS):
            raise ValueError(f"{self.every} minutes do not fit into an hour")
        if bool(self.hours) == bool(self.every) or not set(self.hours) <= set(range(24)):
            raise ValueError(f"{self.hours} are not hours of a day")
        if any(not text.isprintable() for text in texts):  # neither file has room for a newline
            raise ValueError(f"{self.name}: a line break or a control character")


def service_unit(job: ScheduledJob) -> str:
    """What systemd runs; see systemd.service(5)."""
    accepted = " ".join(str(code) for code in job.success_codes if code)
    # systemd runs no program with a quote or a backslash in its path, but sh does.
    odd = set(job.argv[0]) & set("\"'\\")
    argv = ("/bin/sh", "-c", 'exec "$0" "$@"', *job.argv) if odd else job.argv
    # ":" keeps "$" literal, in the program's path too, where "$$" would not work.
    program = " ".join(map(_quoted, (f":{argv[0]}", *argv[1:])))
    lines = [
        "# Written by `inv`, which replaces it: change it there.",
        "[Unit]",
        f"Description={_literal(job.description)}",
        "Wants=network-online.target",
        "After=network-online.target docker.service",
        "",
        "[Service]",
        "Type=oneshot",
        "User=root",  # makes systemd set HOME, where Docker's plugins and settings may be
        f"WorkingDirectory={_literal(str(job.folder))}",
        f"ExecStart={program}",
        *(["StandardOutput=null"] if job.silent else []),
        *([f"SuccessExitStatus={accepted}"] if accepted else []),
        "",
    ]
    return "\n".join(lines)


def timer_unit(job: ScheduledJob, minute: int) -> str:
    """When systemd runs it; an hour that the machine slept through is made up for."""
    times = [f"OnCalendar=*-*-* {hour:02}:{minute:02}:00" for hour in sorted(set(job.hours))]
    times += ["Persistent=true", "RandomizedDelaySec=10min"]
    if job.every:
        repeated = f"/{job.every}" if job.every < 60 else ""
        times = [f"OnCalendar=*-*-* *:{minute % job.every:02}{repeated}:00", "AccuracySec=10s"]
    lines = [
        "# Written by `inv`, which replaces it: change it there.",
        "[Unit]",
        f"Description={_literal(job.description)}",
        "",
        "[Timer]",
        *times,
        "",
        "[Install]",
        "WantedBy=timers.target",
        "",
    ]
    return "\n".join(lines)


def _literal(text: str) -> str:
    return text.replace("%", "%%")  # systemd would read %h as a home directory


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_literal(escaped)}"'


def cron_line(job: ScheduledJob, minute: int) -> str:
    """The line for crontab(5), which ends with a mark to know it by."""
    hours = ",".join(str(hour) for hour in sorted(set(job.hours))) or "*"
    every = job.every or 60
    minutes = range(minute % every, 60, every)
    folder, program = shlex.quote(str(job.folder)), shlex.join(job.argv)
    command = f'cd {folder} && PATH="{_CRON_PATH}" {program}'
    command += f"{' >/dev/null' if job.silent else ''} # {job.name}"
    return f"{','.join(map(str, minutes))} {hours} * * * " + command.replace(
        "%", r"\%"
    )  # cron ends a line at "%"
