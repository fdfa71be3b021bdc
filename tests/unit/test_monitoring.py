"""`inv up --monitoring`: what is checked, given to whom, and started."""

import hashlib
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from scripts import credentials, monitoring
from scripts.core import configuration
from scripts.core.checks import Status
from scripts.core.completed import Completed
from scripts.core.errors import OpsError, UsageError
from scripts.core.monitoring_settings import MonitoringSettings
from scripts.core.settings import Environment, Settings
from scripts.core.values import Values
from scripts.stack import environments, preflight
from scripts.stack.compose import Stack
from scripts.stack.engine import Engine
from tests.unit.support.fakes import FakeReporter, FakeRunner, command_line, says, settings_in

_RUNNING = "\n".join(
    f'{{"Service": "{name}", "Name": "{name}", "State": "running"}}'
    for name in ("odoo_db", "nginx", *monitoring.SERVICES)
)
_PORTS = {"Port 9090", "Port 9093"}
_HANDED = "docker exec monitoring_secrets sha256sum"


def _stack(root: Path, **answers: Completed) -> Stack:
    settings = settings_in(root)
    credentials.ensure(settings.secrets_folder)
    known: dict[str, Completed | OpsError] = {
        "docker ps": says(_RUNNING),
        _HANDED: _handed(settings),
        **answers,
    }
    return Stack(settings, FakeRunner(known))


def _handed(settings: Settings, **changed: str) -> Completed:
    """The sums of the files that the exporters have, of the secrets as they are now."""
    values = {
        name: (settings.secrets_folder / f"{name}.txt").read_text().strip()
        for name in ("monitoring_password", "db_password")
    } | changed
    redis = hashlib.sha256(f"redis:{values['db_password']}".encode()).hexdigest()
    files = {
        "postgres_password": values["monitoring_password"],
        "redis.json": f'{{"redis://redis:6379": "{redis}"}}\n',
    }
    sums = (f"{hashlib.sha256(t.encode()).hexdigest()}  /x/{name}" for name, t in files.items())
    return says("\n".join(sums) + "\n")


def _lines(stack: Stack) -> list[str]:
    assert isinstance(stack.runner, FakeRunner)
    return [command_line(argv) for argv in stack.runner.calls]


def test_the_role_gets_its_password_before_the_exporters_are_started(tmp_path: Path) -> None:
    stack = _stack(tmp_path)
    assert monitoring.up(stack, FakeReporter()) == "http://localhost:9090"
    lines = _lines(stack)
    role = lines.index("docker exec odoo_db sh /etc/platform/monitoring")
    start = next(n for n, line in enumerate(lines) if line.startswith("docker compose up"))
    assert role < start
    assert "--no-build --pull never" in lines[start]
    assert all(name in lines[start].split() for name in monitoring.SERVICES)
    password = (tmp_path / "secrets" / "monitoring_password.txt").read_text().strip()
    assert isinstance(stack.runner, FakeRunner) and stack.runner.inputs == [password]
    assert not any(password in line for line in lines)
    assert not any("restart" in line or "reload" in line for line in lines)


def test_an_nginx_that_does_not_count_yet_reads_its_configuration_again(tmp_path: Path) -> None:
    stack = _stack(tmp_path, **{"docker exec nginx curl": says(code=7)})
    monitoring.up(stack, FakeReporter())
    assert "docker exec nginx nginx -s reload" in _lines(stack)


@pytest.mark.parametrize("name", ["monitoring_password", "db_password"])
def test_exporters_with_a_former_value_are_given_the_present_one(tmp_path: Path, name: str) -> None:
    stack = _stack(tmp_path)
    assert isinstance(stack.runner, FakeRunner)
    stack.runner.answers[_HANDED] = _handed(stack.settings, **{name: "a-former-value"})
    monitoring.up(stack, FakeReporter())
    restarts = [line for line in _lines(stack) if line.startswith("docker compose restart")]
    assert restarts == [
        "docker compose restart monitoring_secrets",
        "docker compose restart postgres_exporter redis_exporter",
    ]


def test_a_postgresql_that_refuses_the_role_is_an_error_before_anything_is_started(
    tmp_path: Path,
) -> None:
    refused = says(code=2, stderr='FATAL:  password authentication failed for user "monitoring"')
    stack = _stack(tmp_path, **{"docker exec odoo_db sh /etc/platform/monitoring": refused})
    with pytest.raises(OpsError, match="does not let the role monitoring in: FATAL"):
        monitoring.up(stack, FakeReporter())
    assert not any(line.startswith("docker compose up") for line in _lines(stack))


def test_the_folder_of_the_metrics_is_everybodys_to_read(tmp_path: Path) -> None:
    stack = _stack(tmp_path)
    monitoring.prepare(stack)
    assert stat.S_IMODE(monitoring.folder(stack.settings).stat().st_mode) == 0o755


def test_a_secret_that_is_missing_is_told_before_anything_is_started(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    found = monitoring.preflight(settings)[0].probe()
    assert found.status is Status.FAILED
    assert "monitoring_password.txt does not exist" in found.detail and "inv secrets" in found.hint
    credentials.ensure(settings.secrets_folder)
    assert monitoring.preflight(settings)[0].probe().status is Status.OK


@pytest.mark.parametrize(
    ("profiles", "wanted"),
    [("", False), ("clone", False), ("clone, monitoring", True), ("monitoring", True)],
)
def test_the_profile_in_env_has_every_start_bring_it(profiles: str, wanted: bool) -> None:
    assert MonitoringSettings.read(Values({"COMPOSE_PROFILES": profiles})).wanted is wanted


@pytest.mark.parametrize(
    ("state", "wanted"), [("running", True), ("restarting", True), ("exited", False), ("", False)]
)
def test_a_start_keeps_it_where_it_runs(tmp_path: Path, state: str, wanted: bool) -> None:
    row = f'{{"Service": "prometheus", "Name": "prometheus", "State": "{state}"}}'
    stack = Stack(settings_in(tmp_path), FakeRunner({"docker ps": says(row if state else "")}))
    assert monitoring.settle(stack).settings.monitoring.wanted is wanted
    assert monitoring.settle(monitoring.wanting(stack)).settings.monitoring.wanted


def test_where_no_engine_answers_the_start_will_say_so(tmp_path: Path) -> None:
    stack = Stack(settings_in(tmp_path), FakeRunner({"docker ps": OpsError("no engine")}))
    assert monitoring.settle(stack) is stack


def test_its_ports_are_looked_at_where_a_start_brings_it_and_nowhere_else(tmp_path: Path) -> None:
    plain = Stack(settings_in(tmp_path), FakeRunner())
    engine = Engine("24.0.0", "2.30.0", 4, 8 * 1024**3, tmp_path)
    for stack, wanted in ((plain, set[str]()), (monitoring.wanting(plain), _PORTS)):
        names = {check.name for check in preflight.checks(stack, engine, [])}
        assert names & _PORTS == wanted


@pytest.mark.parametrize(("port", "wanted", "refused"), [(9090, True, True), (9090, False, False)])
def test_two_pages_on_one_port_are_refused(
    tmp_path: Path, port: int, wanted: bool, refused: bool
) -> None:
    settings = replace(settings_in(tmp_path), monitoring=MonitoringSettings(wanted, 9090, port))
    if not refused:
        assert configuration.require(settings).errors == []
        return
    with pytest.raises(UsageError, match="PROMETHEUS_PORT and ALERTMANAGER_PORT are both 9090"):
        configuration.require(settings)


def test_production_that_goes_on_as_such_is_still_to_bring_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = '{"Service": "nginx", "Name": "nginx", "Publishers": [%s]}'
    port = '{"PublishedPort": 443, "TargetPort": 443}'
    plain = Stack(settings_in(tmp_path), FakeRunner({"docker ps": says(row % port)}))
    production = settings_in(tmp_path, environment=Environment.PROD)
    monkeypatch.setattr(Settings, "load", lambda *_, **__: production)
    found = environments.settle(monitoring.wanting(plain), FakeReporter()).settings
    assert found.tls and found.monitoring.wanted
