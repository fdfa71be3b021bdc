"""A look every few minutes, by a timer of the system's."""

from typing import Final

from scripts.core import env_file, notification, scheduler
from scripts.core.errors import OpsError, UsageError
from scripts.core.monitoring_settings import RESULTS
from scripts.core.scheduled_job import HEALTH, INTERVALS, ScheduledJob
from scripts.core.settings import Settings
from scripts.health.notify import parse_ping
from scripts.stack.compose import Stack

_FAILED: Final = 1  # a check has failed, which is told, and is no failure of the job


def job(settings: Settings, minutes: int) -> ScheduledJob:
    """What `--schedule` installs."""
    return ScheduledJob(
        name=f"{settings.project}-{HEALTH}",
        description="Check ipai-platform",
        argv=(
            *(str(settings.root / "scripts" / "inv"), "health", "--quiet"),
            *("--metrics", str(settings.state_folder / RESULTS)),
        ),
        folder=settings.root,
        every=minutes,
        success_codes=(0, _FAILED),
        silent=True,  # cron would mail the same report every few minutes
    )


def plan(
    stack: Stack, minutes: int, notify: str, ping: str, *, on: bool, alone: bool = True
) -> str:
    """Have it looked so many minutes apart, or no longer; returns a line for people.

    Addresses are written to `.env`: a command line is no place for a token. Raises UsageError
    where nobody would hear of it, and unless it is wanted `alone`, without options of a look.
    """
    settings = stack.settings
    if minutes and not on:
        raise UsageError("--schedule and --unschedule exclude each other")
    if not alone:
        raise UsageError("only --notify and --ping go with --schedule and --unschedule")
    if on and minutes not in INTERVALS:
        fitting = ", ".join(map(str, INTERVALS))
        raise UsageError(
            f"--schedule: {minutes} minutes do not fit into an hour", f"One of {fitting}"
        )
    given = {"HEALTH_NOTIFY": notify, "HEALTH_PING": parse_ping(ping)}
    notification.parse(notify, "--notify")
    told = settings.alarms.health or settings.alarms.ping or any(given.values())
    # `inv up --monitoring` has made it: Prometheus hears of what is found.
    measured = (settings.state_folder / RESULTS).parent.is_dir()
    if on and not (told or measured):
        raise OpsError("nobody would hear of it", "--notify URL or --ping URL: see docs/health.md")
    if on:
        place = scheduler.install(job(settings, minutes), stack.runner)
        if not stack.runner.dry:
            env_file.remember(
                settings.env_file, {name: value for name, value in given.items() if value}
            )
        return f"Health: {place}"
    name = f"{settings.project}-{HEALTH}"
    there = scheduler.remove(name, stack.runner)
    return "Health: no longer scheduled" if there else "Health: was not scheduled"
