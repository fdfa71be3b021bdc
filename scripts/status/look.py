"""`inv status`: what runs, where, how well, on one screen; within two seconds."""

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from scripts import checkup
from scripts import maintenance as site
from scripts.backups import freshness
from scripts.backups.freshness import BackupState
from scripts.core.checks import Check, Finding, LateResult, Result, Status, run_within
from scripts.core.errors import OpsError
from scripts.core.settings import Environment, Settings
from scripts.health.volumes import FORMAT, Room
from scripts.stack import image_facts, image_names, release
from scripts.stack.compose import Service, Stack
from scripts.status.report import Data, Report, local

_SECONDS: Final = 1.4  # for all that is asked; what comes later is left out
_LEAST: Final = 0.8  # of them for what is asked side by side
_DATA: Final = "/var/lib/postgresql/data"
# In megabytes of the database, and of the attachments that it names.
_SIZES: Final = (
    "SELECT pg_database_size(current_database()), (SELECT coalesce(sum(size), 0) FROM"
    " (SELECT DISTINCT store_fname, file_size AS size FROM ir_attachment"
    " WHERE store_fname IS NOT NULL) files)"
)
_NAMES: Final = {Environment.DEV: "development", Environment.PROD: "production"}


@dataclass(frozen=True)
class _Seen(Stack):
    """A stack whose containers were looked at once."""

    seen: tuple[Service, ...] = ()

    def services(self) -> list[Service]:
        """See Stack.services."""
        return list(self.seen)


def look(stack: Stack) -> Report:
    """What can be known of the platform soon; raises no OpsError."""
    return look_closer(stack)[0]


def look_closer(stack: Stack) -> tuple[Report, tuple[Service, ...]]:
    """As look, with the containers of the platform."""
    began = time.monotonic()
    seen, unknown = _see(stack)
    stack = seen.as_running()
    services = {s.service: s for s in seen.seen if not s.oneoff and s.service != "odoo_init"}
    up = any(s.state == "running" for s in services.values())
    asked = _Answers(stack)
    facts, health = asked.checks(up=up), checkup.brief(stack) if up else []
    clone = stack.settings.clone
    left = max(_LEAST, _SECONDS - (time.monotonic() - began))
    rows = run_within([*facts, *health], left)[len(facts) :]
    backup = freshness.read(stack.settings)
    stopped = [_warning("Platform", "it is stopped", "inv up")] if not (up or unknown) else []
    bad = [*stopped, *rows, *_own(stack.settings, backup)]
    report = Report(
        runs="unknown" if unknown else _runs(services.values()),
        services={name: s.state for name, s in services.items()},
        environment=_NAMES[stack.settings.environment],
        url=stack.settings.url,
        backup=backup,
        copy={"database": clone.served, "url": clone.url} if clone.served else None,
        unanswered=[row.name for row in rows if isinstance(row, LateResult)],
        attention=[*unknown, *(_line(row) for row in bad if _is_bad(row))],
        **asked.found,
    )
    return report, seen.seen


def _see(stack: Stack) -> tuple[_Seen, list[str]]:
    """`stack` with its containers; the reason where they cannot be known."""
    try:
        return _Seen(stack.settings, stack.runner, tuple(stack.services())), []
    except OpsError as error:
        hint = f" ({error.hint})" if error.hint else ""
        return _Seen(stack.settings, stack.runner), [f"{error.message}{hint}"]


def _runs(services: Collection[Service]) -> str:
    running = [s for s in services if s.state == "running"]
    if not running:
        return "stopped"
    return "running" if len(running) == len(services) else "partly running"


def _is_bad(row: Result) -> bool:
    return row.status in (Status.WARNING, Status.FAILED)


def _line(row: Result) -> str:
    hint = f" ({row.hint})" if row.hint else ""
    return f"{row.name}: {row.detail}{hint}"


@dataclass
class _Answers:
    """Facts that are asked for side by side; what does not come in time is not in `found`."""

    stack: Stack
    found: dict[str, Any] = field(default_factory=dict)

    def checks(self, *, up: bool) -> list[Check]:
        """A check for each, which leaves its answer here."""
        questions: list[Callable[[], None]] = [self._version, self._odoo, self._maintenance]
        if self.stack.settings.tls:
            questions.append(self._certificate)
        if up:
            questions.append(self._data)
        return [Check("fact", self._quietly(question)) for question in questions]

    @staticmethod
    def _quietly(question: Callable[[], None]) -> Callable[[], Finding]:
        def probe() -> Finding:
            with suppress(OpsError):  # it is not known then, as the report says
                question()
            return Finding(Status.OK)

        return probe

    def _version(self) -> None:
        self.found["version"] = release.here(self.stack.settings, self.stack.runner).name

    def _odoo(self) -> None:
        image = image_names.effective(self.stack.settings)["ODOO_IMAGE"]
        self.found["odoo"] = image_facts.odoo_version(self.stack.runner, image) or None

    def _maintenance(self) -> None:
        self.found["maintenance"] = site.look(self.stack)

    def _certificate(self) -> None:
        from scripts.tls import certificates  # cryptography is slow to import
        from scripts.tls.store import Store

        if present := Store(self.stack.settings.certificates).read():
            end = certificates.dates(present.pair.certificate)[1]
            self.found["certificate_ends"] = end.isoformat()
            self.found["certificate_days"] = (end - datetime.now(UTC)).days

    def _data(self) -> None:
        database, server = self.stack.settings.database, self.stack.settings.postgres
        script = f'stat -f -c "{FORMAT}" {_DATA}; psql -X -U "$2" -d "$1" -tAF " " -c "{_SIZES}"'
        given = ["sh", "-c", script, "sh", database, server.role]
        done = self.stack.exec("odoo_db", *given, timeout=10)
        lines = done.stdout.splitlines()
        if done.ok and len(lines) == 2:
            size, files = lines[1].split()
            elsewhere = f"the database is at {server.host}"
            room = elsewhere if server.external else Room.parse(lines[0]).describe()
            self.found["data"] = Data(int(size), int(float(files)), room)


def _own(settings: Settings, backup: BackupState) -> list[Result]:
    """What is amiss in production beside what `inv health` tells."""
    if settings.environment is not Environment.PROD:
        return []
    if not backup.last:
        return [
            _warning(
                "Backup", "none was made here", "inv backup; every night: inv backup --schedule"
            )
        ]
    found = []
    if backup.age and backup.age > freshness.SOON:
        found.append(_warning("Backup", f"the last is of {local(backup.made)}", "inv backup"))
    if not backup.verified:
        found.append(_warning("Backup", "none was verified", "inv backup.verify"))
    return found


def _warning(name: str, detail: str, hint: str) -> Result:
    return Result(name, Status.WARNING, detail, hint, 0.0)
