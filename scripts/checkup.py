"""The checks of `inv health`: which there are, in which order and groups."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from scripts.backups import archive_health, freshness, reachable
from scripts.core import check_names, last_backup, scheduler
from scripts.core.checks import (
    CannotTellError,
    Check,
    Finding,
    InapplicableError,
    Status,
    once,
    run_within,
    worst,
)
from scripts.core.errors import OpsError, UsageError
from scripts.core.hurried import HurriedRunner
from scripts.core.scheduled_job import BACKUP, HEALTH, RENEWAL
from scripts.health import database, limits, machine, notify, probes, queue, updates, work
from scripts.health.answers import Answers
from scripts.health.facts import Facts
from scripts.health.limits import SECONDS
from scripts.health.pages import Page
from scripts.health.report import SERVICES, Report
from scripts.stack import identity
from scripts.stack.compose import Service, Stack
from toolbox.contract.archive import ArchiveStatus
from toolbox.contract.codec import decode

_LONGEST: Final = 60.0  # for all; each question has its own, shorter limit
PATIENT: Final = 30.0  # seconds, for who has just started the platform
PAGES: Final = "Pages"
WORK: Final = "Background jobs"
DATABASE: Final = "Database"
BACKUPS: Final = "Backups"
HOST: Final = "Host"


@dataclass(frozen=True)
class _Observed(Stack):
    """A stack whose containers are looked at once."""

    look: Callable[[], Sequence[Service]] = list

    def services(self) -> list[Service]:
        """See Stack.services."""
        return list(self.look())


def look(stack: Stack, only: str = "", watch: int = 0) -> Iterator[Report]:
    """One report, or with `watch` one after another, so many seconds apart.

    `only`: names of checks with commas between, all if empty; raises UsageError for others.
    """
    if watch < 0:
        raise UsageError(f"--watch: {watch} is no number of seconds")
    names = check_names.chosen(only)
    while True:
        asked = [check for check in checks(stack, limits.seconds()) if check.name in names]
        yield Report(run_within(asked, _LONGEST))
        if not watch:
            return
        time.sleep(watch)


def checks(stack: Stack, seconds: float) -> list[Check]:
    """All of them, for the environment that runs. What is asked is given up after `seconds`."""
    running = _running(stack, seconds)
    if _paused(running):  # who is waited for in vain, however busy the machine is
        running, seconds = _running(stack, SECONDS), SECONDS
    answers = Answers.of(running, seconds)
    facts, page = Facts.of(answers), Page.of(answers)
    return [
        *_first(running, answers, page),
        Check("Assets", page.assets, PAGES),
        Check("Attachments", page.attachments, PAGES),
        Check("Websocket", page.websocket, PAGES),
        Check("PDF reports", lambda: work.reports(answers), PAGES),
        Check("Outgoing mail", lambda: work.mail(facts), WORK),
        *_catcher(answers),
        Check("Scheduled actions", lambda: work.scheduled_actions(facts), WORK),
        Check("Job queue", lambda: work.jobs(facts), WORK),
        Check("Supabase jobs", lambda: queue.jobs(answers), WORK),
        Check("Modules", lambda: work.modules(answers, facts), WORK),
        Check("Connections", lambda: database.connections(answers, facts), DATABASE),
        Check("Transactions", lambda: database.transactions(facts), DATABASE),
        Check("Locks", lambda: database.locks(facts), DATABASE),
        Check("Vacuum", lambda: database.vacuum(facts), DATABASE),
        Check("Backups", lambda: _backups(running, facts), BACKUPS),
        Check("Archiving", lambda: _archiving(running, facts), BACKUPS),
        Check("Repository", lambda: reachable.finding(running.settings, seconds), BACKUPS),
        Check("Restore test", lambda: freshness.restore_test(running.settings), BACKUPS),
        Check("Schedule", lambda: _schedule(running), BACKUPS),
        Check("Volumes", lambda: probes.volume_room(answers), HOST),
        Check("Memory", lambda: machine.memory(answers), HOST),
        Check("Clock", lambda: machine.clock(answers), HOST),
        Check("Containers", lambda: machine.containers(answers), HOST),
        Check("Replicas", lambda: machine.replicas(answers), HOST),
        Check("Images", lambda: updates.finding(answers), HOST),
        Check("Settings", lambda: machine.settings(answers), HOST),
        Check(notify.LINE, lambda: notify.finding(running.settings), HOST),
    ]


def brief(stack: Stack) -> list[Check]:
    """Those that are quick, for `inv status`."""
    running = _running(stack, SECONDS)
    answers = Answers.of(running, SECONDS, brief=True)
    return [
        *_first(running, answers, Page.of(answers)),
        *_catcher(answers),
        Check("Volumes", lambda: probes.volume_room(answers), HOST),
        Check("Containers", lambda: machine.containers(answers), HOST),
        Check("Backups", lambda: last_backup.finding(running.settings), BACKUPS),
        Check("Schedule", lambda: _schedule(running), BACKUPS),
    ]


def _running(stack: Stack, seconds: float) -> Stack:
    """The variant that runs, or the one of the settings where that cannot be known."""
    hurried = replace(stack, runner=HurriedRunner(stack.runner, seconds))
    observed = _Observed(stack.settings, hurried.runner, once(hurried.services))
    try:
        return observed.as_running()
    except OpsError:  # every probe will say so
        return observed


def observed(stack: Stack) -> Stack:
    """The variant that runs, looked at once; nobody is waited for longer than a check would."""
    return _running(stack, SECONDS)


def _paused(stack: Stack) -> bool:
    """Whether a container of the platform is paused, as far as that can be known."""
    try:
        return any(s.state == "paused" for s in stack.services())
    except OpsError:
        return False


def _first(running: Stack, answers: Answers, page: Page) -> list[Check]:
    def certificate() -> Finding:
        from scripts.tls import expiry  # cryptography is slow to import

        return expiry.finding(running.settings)

    installation = Check("Installation", lambda: _installation(running))
    found = [installation, *probes.checks(answers, page, certificate)]
    return [replace(check, group=SERVICES) for check in found]


def _installation(stack: Stack) -> Finding:
    """FAILED where the platform is another folder's; no row where it is ours."""
    if found := identity.problem(stack):
        return Finding(Status.FAILED, found.message, found.hint)
    raise InapplicableError


def _catcher(answers: Answers) -> list[Check]:
    there = not answers.stack.settings.tls
    return [Check("Mail catcher", lambda: work.catcher(answers), WORK)] if there else []


def _backups(stack: Stack, facts: Facts) -> Finding:
    job = f"{stack.settings.project}-{BACKUP}"
    try:
        scheduled = bool(scheduler.find(job, stack.runner))
    except OpsError:  # whom cron refuses has no job there
        scheduled = False

    def database_age() -> float:
        try:
            return float(facts.optional("made")["seconds"])
        except (CannotTellError, InapplicableError):
            return 0.0

    return freshness.last(stack.settings, scheduled=scheduled, database_age=database_age)


def _archiving(stack: Stack, facts: Facts) -> Finding:
    """Asked of PostgreSQL's container, which has the folder of the archiver."""
    told = facts.told().get("archive")
    return archive_health.finding(stack.settings, decode(ArchiveStatus, told) if told else None)


def _schedule(stack: Stack) -> Finding:
    """Whether what is scheduled is also started when its time comes."""
    names = [f"{stack.settings.project}-{job}" for job in (BACKUP, RENEWAL, HEALTH)]
    return worst([scheduler.finding(name, stack.runner) for name in names])
