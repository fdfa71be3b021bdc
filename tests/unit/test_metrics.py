"""`inv health --metrics`: what Prometheus reads of a report."""

import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from scripts import metrics
from scripts.core import last_backup
from scripts.core.checks import Result, Status
from scripts.core.completed import Completed
from scripts.core.errors import OpsError, UsageError
from scripts.core.settings import Environment
from scripts.health.report import Report
from scripts.stack.compose import Stack
from tests.unit.support import pki
from tests.unit.support.fakes import FakeRunner, says, settings_in

_REPORT = Report(
    [
        Result("Nginx", Status.OK, "", "", 0.25, "Services"),
        Result("Redis", Status.FAILED, "", "", 1.5, "Services"),
        Result("Job queue", Status.UNKNOWN, "", "", 0.5, "Background jobs"),
        Result("Volumes", Status.WARNING, "", "", 0.125, "Host"),
    ]
)
_RUNNING = {"Service": "odoo", "Name": "odoo", "State": "running"}
_Samples = dict[tuple[str, str], float]


def _samples(text: str) -> _Samples:
    """Each value by its name and the values of its labels."""
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _stack(folder: Path, *rows: object, environment: Environment = Environment.DEV) -> Stack:
    answers: dict[str, Completed | OpsError] = {"docker ps": says("\n".join(map(json.dumps, rows)))}
    return Stack(settings_in(folder, environment=environment), FakeRunner(answers))


def _told(stack: Stack) -> _Samples:
    return _samples(metrics.exposition(stack, _REPORT).decode())


def test_each_check_has_its_status_as_a_number_and_its_time(tmp_path: Path) -> None:
    before = datetime.now(UTC).timestamp()
    found = _told(_stack(tmp_path))
    statuses = {labels: v for (name, labels), v in found.items() if name == "ipai_health_status"}
    assert statuses == {
        "nginx,services": 0,
        "volumes,host": 1,
        "job-queue,background-jobs": 2,
        "redis,services": 3,
    }
    assert found["ipai_health_check_seconds", "redis,services"] == 1.5
    assert before <= found["ipai_health_time_seconds", ""] <= datetime.now(UTC).timestamp()


def test_every_status_has_a_number_of_its_own_and_worse_ones_are_higher_than_ok() -> None:
    assert set(metrics.VALUES) == set(Status)
    assert len(set(metrics.VALUES.values())) == len(Status)
    assert max(metrics.VALUES, key=lambda status: metrics.VALUES[status]) is Status.FAILED
    assert metrics.VALUES[Status.OK] == 0


def test_restarts_by_the_engine_are_told_of_each_container(tmp_path: Path) -> None:
    once = {**_RUNNING, "RestartCount": 3, "StartedAt": "2026-11-27T10:00:00.123456789Z"}
    found = _told(_stack(tmp_path, once))
    assert found["ipai_container_restarts", "odoo"] == 3
    started = datetime(2026, 11, 27, 10, tzinfo=UTC).timestamp()
    assert found["ipai_container_start_time_seconds", "odoo"] == pytest.approx(started, abs=1)


def test_without_an_engine_the_checks_are_told_all_the_same(tmp_path: Path) -> None:
    stack = Stack(settings_in(tmp_path), FakeRunner({"docker ps": OpsError("no engine")}))
    found = _told(stack)
    assert found["ipai_health_status", "redis,services"] == 3
    assert not [name for name, _ in found if name.startswith("ipai_container")]


def test_a_backup_is_told_by_its_time_and_none_by_no_value_at_all(tmp_path: Path) -> None:
    stack = _stack(tmp_path)
    name = "ipai_backup_last_timestamp_seconds"
    assert (name, "") not in _told(stack)
    last_backup.remember(stack.settings, "20261127-133558-90c2", 0)
    assert _told(stack)[name, ""] == datetime(2026, 11, 27, 13, 35, 58, tzinfo=UTC).timestamp()


def test_the_end_of_the_certificate_is_told_of_production_only(tmp_path: Path) -> None:
    pair = pki.issued_now()
    current = tmp_path / "nginx" / "certs" / "current"
    current.mkdir(parents=True)
    (current / "fullchain.pem").write_bytes(pair.certificate)
    (current / "privkey.pem").write_bytes(pair.key)
    name = ("ipai_certificate_expiry_timestamp_seconds", "")
    assert name not in _told(_stack(tmp_path))
    end = _told(_stack(tmp_path, environment=Environment.PROD))[name]
    left = timedelta(seconds=end - datetime.now(UTC).timestamp())
    assert timedelta(days=89) < left < timedelta(days=90)


def test_the_file_is_whole_and_readable_for_the_exporter_whatever_the_umask(tmp_path: Path) -> None:
    file = tmp_path / "metrics" / "health.prom"
    before = os.umask(0o077)
    try:
        metrics.write(_stack(tmp_path), _REPORT, file)
    finally:
        os.umask(before)
    assert _samples(file.read_text())["ipai_health_status", "nginx,services"] == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o755
    assert [path.name for path in file.parent.iterdir()] == ["health.prom"]


def test_a_report_is_shown_also_where_its_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    reports = metrics.record(_stack(tmp_path), iter([_REPORT]), tmp_path / "taken" / "x.prom")
    assert next(reports) is _REPORT
    with pytest.raises(OpsError, match="cannot make the folder"):
        next(reports)


def test_nothing_is_written_where_no_file_was_named_or_in_a_dry_run(tmp_path: Path) -> None:
    stack = _stack(tmp_path)
    assert list(metrics.record(stack, iter([_REPORT]), metrics.target(""))) == [_REPORT]
    dry = Stack(stack.settings, FakeRunner(dry=True))
    assert list(metrics.record(dry, iter([_REPORT]), tmp_path / "x.prom")) == [_REPORT]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["health.txt", "metrics", "health.prom.gz"])
def test_a_file_that_the_collector_would_not_read_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"does not end in \.prom"):
        metrics.target(name)
