"""Tells people when `inv health` finds something else than before. docs/health.md has the rules."""

import socket
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from scripts.core import addresses, check_names, http, notification
from scripts.core.checks import Finding, InapplicableError, Result, Status, worst
from scripts.core.errors import EXIT_WARNING, OpsError, UsageError
from scripts.core.files import LockedError
from scripts.core.notification import Kind, Message
from scripts.core.report import Reporter
from scripts.core.settings import Settings
from scripts.health import told as store
from scripts.health.changes import Changes, Told, between
from scripts.health.facts import duration
from scripts.health.report import CheckRow, Report, line
from scripts.stack import planned_stop
from scripts.stack.compose import Stack

VERSION: Final = 1  # of Notice; changes when a field is removed, or means something else
LINE: Final = "Notifications"  # of the report: who was not reached
_MOST: Final = 10_000  # characters that a ping tells


@dataclass(frozen=True)
class Notice:
    """What an address of one's own gets; `inv health --json` has the whole."""

    version: int
    installation: str
    host: str
    time: str
    event: str  # alarm, recovery or reminder
    status: str  # the worst of all checks, as in the report
    message: str
    new: list[str]
    recovered: list[str]
    checks: list[CheckRow]  # those that are not ok


@dataclass(frozen=True)
class Unreached:
    """Why an address did not take what it was to be told."""

    reason: str
    first: bool  # it took what came before


@dataclass(frozen=True)
class Audience:
    """Who hears of a look."""

    stack: Stack
    targets: Sequence[str]
    ping: str
    asked: frozenset[str]  # names of the checks of the look

    @property
    def settings(self) -> Settings:
        """Those of the platform that was looked at."""
        return self.stack.settings

    @classmethod
    def of(cls, stack: Stack, notify: str, ping: str, only: str) -> "Audience":
        """Those of the command line, or of the settings; raises UsageError for what is none.

        A look at some checks only is no sign of life: it pings nobody by the settings. A dry run
        tells nobody.
        """
        targets, alarms = notification.parse(notify, "--notify"), stack.settings.alarms
        ping = parse_ping(ping)
        asked = check_names.chosen(only)
        if stack.runner.dry:
            return cls(stack, (), "", asked)
        ping = ping or ("" if only else alarms.ping)
        return cls(stack, targets or alarms.health, ping, asked)

    def hear(self, report: Report, code: int, reporter: Reporter, *, quiet: bool) -> int:
        """Tell them what has changed in `report`, which ends with `code`; returns the exit code.

        That is EXIT_WARNING where only they were not reached, which `reporter` is told; with
        `quiet` once for each of them. Where another look is telling at this moment, nothing is,
        nor is a platform that `inv down` has stopped: of that, no sign of life is given either.
        """
        if not (self.targets or self.ping) or (code and planned_stop.lasts(self.stack)):
            return code
        unreached = self._unreached(report, code)
        for each in unreached:
            if each.first or not quiet:
                reporter.note(f"warning: {each.reason}")
        return code or (EXIT_WARNING if unreached else 0)

    def _unreached(self, report: Report, code: int) -> list[Unreached]:
        try:
            with store.lock(self.settings):
                return self._hear(report, code, time.time())
        except LockedError:
            return []
        except OpsError as error:
            return [Unreached(f"what was told is not remembered: {error.message}", first=True)]

    def _hear(self, report: Report, code: int, now: float) -> list[Unreached]:
        known = store.read(self.settings)
        before = {a: known.get(store.fingerprint(a), Told()) for a in (*self.targets, self.ping)}
        after, news = {}, {}
        for target in self.targets:
            after[target], changes = self._changes(before[target], report, now)
            if changes.worth_telling:
                news[target] = _message(self.settings, report, changes)
        reasons = notification.deliver(news) if news else {}
        if self.ping:
            after[self.ping] = Told(at=now)
            reasons |= _ping(self.ping, report, code)
        for address, told in after.items():
            if address in reasons:
                told = before[address].unreached(reasons[address], now)
            elif address not in news and address != self.ping:  # nobody knows
                told = replace(told, failing=before[address].failing, reason=before[address].reason)
            known[store.fingerprint(address)] = told
        store.write(self.settings, known, now)
        return [Unreached(reason, not before[a].failing) for a, reason in reasons.items()]

    def _changes(self, told: Told, report: Report, now: float) -> tuple[Told, Changes]:
        repeat = self.settings.alarms.repeat
        if told.failing:
            # Who hears of something now need not hear that it was told in vain before. Where it
            # is over, that is all there is to hear.
            rows = [row for row in report.rows if row.name != LINE]
            found = between(told, rows, self.asked, now, repeat)
            if found[1].worth_telling:
                return found
        return between(told, report.rows, self.asked, now, repeat)


def parse_ping(text: str) -> str:
    """The address in `text`, the value of --ping; raises UsageError where it is none."""
    if text and not addresses.is_web(text):
        raise UsageError(
            "--ping wants an address that begins with https:// or http://",
            "For example: --ping https://hc-ping.com/UUID",
        )
    return text


def finding(settings: Settings) -> Finding:
    """Whether those of the settings were reached when there was something to tell."""
    wanted = [a for a in (*settings.alarms.health, settings.alarms.ping) if a]
    if not wanted:
        raise InapplicableError
    known = store.read(settings)
    failing = [t for a in wanted if (t := known.get(store.fingerprint(a))) and t.failing]
    return worst([_warning(told) for told in failing])


def _warning(told: Told) -> Finding:
    since = duration(max(0.0, time.time() - told.failing))
    hint = "HEALTH_NOTIFY and HEALTH_PING in .env; it is tried again at each look"
    return Finding(Status.WARNING, f"{told.reason} (for {since})", hint)


def _message(settings: Settings, report: Report, changes: Changes) -> Message:
    rows = {row.name: row for row in report.rows}
    bad = [rows[name] for name in (*changes.new, *changes.lasting) if name in rows]
    marks = {row.name: row.status.value.upper() for row in bad}
    news = [f"{name} {marks[name]}" for name in changes.new]
    news += [f"{name} recovered" for name in changes.recovered]
    news = news or [f"still {name} {mark}" for name, mark in marks.items()]
    host = socket.gethostname()
    title = f"{settings.project} on {host}: {', '.join(news)}"
    text = "\n".join([*_lines(bad), *(f"{name}: ✓ OK" for name in changes.recovered)])
    notice = Notice(
        version=VERSION,
        installation=settings.project,
        host=host,
        time=report.document.time,
        event="alarm" if changes.new else "recovery" if changes.recovered else "reminder",
        status=report.status.value,
        message=f"{title}\n{text}",
        new=list(changes.new),
        recovered=list(changes.recovered),
        checks=[CheckRow.of(row) for row in bad],
    )
    return Message(title, text, _kind(bad), asdict(notice))


def _lines(rows: Sequence[Result]) -> list[str]:
    return [line(row, lambda text, _: text) for row in rows]


def _kind(bad: Sequence[Result]) -> Kind:
    if any(row.status is Status.FAILED for row in bad):
        return Kind.FAILURE
    return Kind.WARNING if bad else Kind.SUCCESS


def _ping(url: str, report: Report, code: int) -> dict[str, str]:
    """A sign of life, as healthchecks.io takes it: `url`, or `url`/fail with what has failed."""
    parts = urlsplit(url)
    try:
        if not code:
            http.tell(url, timeout=notification.SECONDS)
            return {}
        failed = urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/fail"))
        bad = [row for row in report.rows if row.status is not Status.OK]
        http.tell(failed, "\n".join(_lines(bad))[:_MOST], timeout=notification.SECONDS)
    except OpsError as error:
        return {url: f"{addresses.masked(url)} was not pinged: {error.message}"}
    return {}
