"""What `inv health` has found as metrics for Prometheus, in a file of its text format.

The node exporter's textfile collector reads it. Names and values are in docs/health.md.
"""

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scripts import checkup
from scripts.backups import archive, freshness
from scripts.core.check_names import word
from scripts.core.checks import Status
from scripts.core.errors import OpsError, UsageError
from scripts.core.files import make_open_folder, write_atomic
from scripts.core.settings import Environment
from scripts.health.report import SERVICES, Report
from scripts.stack.compose import Stack

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily, Metric

ENDING: Final = ".prom"  # what the collector reads; all else in its folder it leaves alone
VALUES: Final = {Status.OK: 0, Status.WARNING: 1, Status.UNKNOWN: 2, Status.FAILED: 3}


def target(path: str) -> Path | None:
    """The file that `path` names; None if it is empty.

    Raises UsageError for one that the collector would not read.
    """
    if path and not path.endswith(ENDING):
        raise UsageError(f"--metrics: {path} does not end in {ENDING}", "The collector wants that.")
    return Path(path) if path else None


def record(stack: Stack, reports: Iterator[Report], file: Path | None) -> Iterator[Report]:
    """`reports`, each written into `file` once it was shown; nothing is written for None.

    Raises OpsError where it cannot be.
    """
    for report in reports:
        yield report
        if file and not stack.runner.dry:
            write(stack, report, file)


def write(stack: Stack, report: Report, file: Path) -> None:
    """Replace `file` in one step, readable for every user; its folder is made if it is missing.

    Raises OpsError where that fails.
    """
    make_open_folder(file.parent)
    write_atomic(file, exposition(stack, report))


def exposition(stack: Stack, report: Report) -> bytes:
    """`report`, and what else of the platform changes slowly, in the format of Prometheus."""
    from prometheus_client import CollectorRegistry, generate_latest  # slow to import

    registry = CollectorRegistry(auto_describe=False)
    running = checkup.observed(stack)
    found = [*_health(report), *_containers(running), *_dates(running), *_archive(running)]
    registry.register(_Collected(found))
    return generate_latest(registry)


class _Collected:
    """Families that are complete already, as `prometheus_client` wants them."""

    def __init__(self, families: "list[Metric]") -> None:
        self._families = families

    def collect(self) -> "Iterator[Metric]":
        return iter(self._families)


def _gauge(name: str, text: str, *labels: str) -> "GaugeMetricFamily":
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(name, text, labels=labels)


def _health(report: Report) -> "Iterator[Metric]":
    status = _gauge(
        "ipai_health_status", "0 ok, 1 warning, 2 cannot be told, 3 failed.", "check", "group"
    )
    took = _gauge("ipai_health_check_seconds", "How long the check took.", "check", "group")
    for row in report.rows:
        labels = [word(row.name), word(row.group or SERVICES)]
        status.add_metric(labels, VALUES[row.status])
        took.add_metric(labels, row.seconds)
    looked = _gauge("ipai_health_time_seconds", "When `inv health` looked, in Unix time.")
    looked.add_metric([], time.time())
    yield from (status, took, looked)


def _containers(stack: Stack) -> "Iterator[Metric]":
    """Nothing where no engine answers: the checks say so."""
    restarts = _gauge(
        "ipai_container_restarts",
        "How often the engine has started the container again since it was made.",
        "service",
    )
    started = _gauge(
        "ipai_container_start_time_seconds", "When it was last started, in Unix time.", "service"
    )
    try:
        services = [s for s in stack.services() if not s.oneoff]
    except OpsError:
        return
    for service in services:
        restarts.add_metric([service.service], service.restarts)
        if service.state == "running" and (moment := _unix(service.started)):
            started.add_metric([service.service], moment)
    yield from (restarts, started)


def _dates(stack: Stack) -> "Iterator[Metric]":
    """Those that there are: of the last backup and restore test, and the end of the certificate."""
    found = freshness.read(stack.settings)
    dates = {
        "ipai_backup_last_timestamp_seconds": ("When the last backup was made here.", found.made),
        "ipai_backup_verified_timestamp_seconds": (
            "When a backup was last restored on trial.",
            found.verified_at,
        ),
        "ipai_certificate_expiry_timestamp_seconds": (
            "When the certificate in use ends.",
            _certificate(stack),
        ),
    }
    for name, (text, moment) in dates.items():
        if value := _unix(moment):
            family = _gauge(name, f"{text[:-1]}, in Unix time.")
            family.add_metric([], value)
            yield family


def _archive(stack: Stack) -> "Iterator[Metric]":
    """How far continuous archiving is; nothing where there is none."""
    found = archive.status(stack) if stack.settings.archive.wanted else None
    if not found:
        return
    values = {
        "ipai_archive_time_seconds": ("When the archiver wrote this", _unix(found.time)),
        "ipai_archive_begin_timestamp_seconds": (
            "The first moment that can be restored",
            _unix(found.begins),
        ),
        "ipai_archive_end_timestamp_seconds": (
            "The last moment that can be restored",
            _unix(found.until),
        ),
        "ipai_archive_files_timestamp_seconds": (
            "Up to when attachments are archived",
            _unix(found.files_until),
        ),
        "ipai_archive_base_timestamp_seconds": (
            "When the last base backup ended",
            _unix(found.base.ends if found.base else ""),
        ),
    }
    for name, (text, value) in values.items():
        if value:
            family = _gauge(name, f"{text}, in Unix time.")
            family.add_metric([], value)
            yield family
    for name, text, value in (
        ("ipai_archive_waiting_bytes", "WAL that is not archived yet.", found.waiting_bytes),
        ("ipai_archive_limit_bytes", "From which on WAL is given up.", found.limit_bytes),
        ("ipai_archive_gaps", "Times of which no moment can be restored.", len(found.gaps)),
    ):
        family = _gauge(name, text)
        family.add_metric([], value)
        yield family


def _certificate(stack: Stack) -> str:
    """The end of the one in use (ISO 8601); '' in development, and where there is none."""
    from scripts.tls import expiry  # cryptography is slow to import

    if stack.settings.environment is not Environment.PROD:
        return ""
    end = expiry.end(stack.settings)
    return end.isoformat() if end else ""


def _unix(moment: str) -> float:
    """Seconds of a moment in ISO 8601; 0 for '' and for what is none."""
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return 0.0
