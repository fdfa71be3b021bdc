import json
from pathlib import Path
from typing import Any

import pytest

from scripts.core.checks import Check, Finding, Status
from scripts.core.errors import OpsError
from scripts.core.settings import Environment
from scripts.stack import diagnosis, lifecycle
from scripts.stack.compose import Service, Stack
from tests.unit.support.fakes import FakeReporter, FakeRunner, ReplacedError, says, settings_in


def _row(service: str, **fields: Any) -> str:
    row = {
        "Service": service,
        "Name": f"ipai-{service}-1",
        "State": "running",
        "Health": "healthy",
        "ExitCode": 0,
        "Publishers": None,
    }
    return json.dumps({**row, **fields})


def _stack(tmp_path: Path, *rows: str, **answers: Any) -> tuple[Stack, FakeRunner]:
    info = {"ServerVersion": "28", "NCPU": 4, "MemTotal": 8 * 1024**3, "DockerRootDir": "/nowhere"}
    runner = FakeRunner(
        {
            "docker info": says(json.dumps(info)),
            "docker compose version": says("5.6.1\n"),
            "docker ps": says("\n".join(rows) + "\n"),
            **{f"docker {words.replace('_', ' ')}": answer for words, answer in answers.items()},
        }
    )
    return Stack(settings_in(tmp_path), runner), runner


def test_the_command_line_names_project_folder_and_files_and_runs_nothing(tmp_path: Path) -> None:
    runner = FakeRunner()
    dev = Stack(settings_in(tmp_path), runner)
    compose = ["docker", "compose", "--project-directory", str(tmp_path)]
    compose += ["--file", f"{tmp_path}/compose.yaml"]
    assert dev.argv("up", "--detach") == [*compose, "up", "--detach"]
    prod = Stack(settings_in(tmp_path, environment=Environment.PROD), runner)
    assert prod.argv("ps")[4:-1] == [
        "--file",
        f"{tmp_path}/compose.yaml",
        "--file",
        f"{tmp_path}/compose.prod.yaml",
    ]
    assert runner.calls == []


def test_a_listing_becomes_services(tmp_path: Path) -> None:
    ports = [
        {"URL": "127.0.0.1", "TargetPort": 80, "PublishedPort": 8080, "Protocol": "tcp"},
        {"URL": "::1", "TargetPort": 80, "PublishedPort": 8080, "Protocol": "tcp"},
        {"URL": "", "TargetPort": 8072, "PublishedPort": 0, "Protocol": "tcp"},
    ]
    stack, _ = _stack(
        tmp_path,
        _row("nginx", Publishers=ports),
        _row("odoo_init", State="exited", Health="", ExitCode=1),
    )
    assert stack.services() == [
        Service("nginx", "ipai-nginx-1", "running", "healthy", 0, (8080,), (80,), ((8080, 80),)),
        Service("odoo_init", "ipai-odoo_init-1", "exited", "", 1, ()),
    ]


def test_containers_that_cannot_be_asked_for_are_an_error_with_a_hint(tmp_path: Path) -> None:
    stack, _ = _stack(tmp_path, ps=says(code=1, stderr="Cannot connect to the Docker daemon"))
    with pytest.raises(OpsError, match="the Docker engine is not running") as caught:
        stack.services()
    assert caught.value.hint


def test_an_empty_listing_is_no_service(tmp_path: Path) -> None:
    stack, runner = _stack(tmp_path)
    assert stack.services() == []
    assert "--all" in runner.calls[0]  # stopped containers are wanted too


@pytest.mark.parametrize(
    ("state", "health", "code", "broken"),
    [
        ("running", "healthy", 0, False),
        ("running", "starting", 0, False),
        ("running", "unhealthy", 0, True),
        ("restarting", "", 0, True),
        ("exited", "", 1, True),
        ("dead", "", 137, True),
        ("exited", "", 0, False),
        ("created", "", 0, False),
    ],
)
def test_what_counts_as_broken(state: str, health: str, code: int, broken: bool) -> None:
    assert Service("x", "x-1", state, health, code, ()).broken is broken


def test_a_command_in_a_container_needs_no_terminal_and_may_fail(tmp_path: Path) -> None:
    stack, runner = _stack(tmp_path, exec=says(code=7, stderr="no"))
    assert stack.exec("redis", "redis-cli", "ping").code == 7
    assert runner.calls[1] == ["docker", "exec", "--interactive", "redis", "redis-cli", "ping"]


def test_an_interactive_command_becomes_compose(tmp_path: Path) -> None:
    stack, runner = _stack(tmp_path)
    with pytest.raises(ReplacedError):
        stack.replace_process("exec", "odoo", "bash")
    assert runner.ran("docker compose exec odoo bash")


def test_the_database_is_blamed_before_odoo(tmp_path: Path) -> None:
    stack, _ = _stack(
        tmp_path,
        _row("nginx", Health="unhealthy"),
        _row("odoo", Health="unhealthy"),
        _row("odoo_db", State="exited", Health="", ExitCode=1),
        _row("redis"),
        compose_logs=says("FATAL: data directory has wrong ownership\n"),
    )
    error = diagnosis.diagnose(stack, OpsError("up failed"))
    assert error.message == (
        "service odoo_db is exited, exit code 1; its last log lines:"
        "\n  FATAL: data directory has wrong ownership"
    )
    assert error.hint == "More of it: inv logs --service odoo_db"


def test_the_bootstrap_is_blamed_before_the_odoo_that_waits_for_it(tmp_path: Path) -> None:
    stack, _ = _stack(
        tmp_path,
        _row("odoo", Health="unhealthy"),
        _row("odoo_init", State="exited", Health="", ExitCode=1),
    )
    assert "service odoo_init" in diagnosis.diagnose(stack, OpsError("up failed")).message


def test_a_service_nobody_knows_is_blamed_last(tmp_path: Path) -> None:
    stack, _ = _stack(
        tmp_path, _row("mystery", Health="unhealthy"), _row("nginx", Health="unhealthy")
    )
    assert "service nginx" in diagnosis.diagnose(stack, OpsError("up failed")).message


def test_without_a_broken_service_the_failure_itself_is_shown(tmp_path: Path) -> None:
    stack, _ = _stack(tmp_path, _row("nginx"))
    error = diagnosis.diagnose(stack, OpsError("up failed", "a hint of its own"))
    assert (error.message, error.hint) == ("up failed", "a hint of its own")
    assert diagnosis.diagnose(stack, OpsError("up failed")).hint == "See: inv logs"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "docker").write_text("")
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.usefixtures("client")
def test_volumes_survive_a_no(tmp_path: Path) -> None:
    stack, runner = _stack(tmp_path, volume_ls=says("ipai_odoo_data\nipai_redis_data\n"))
    reporter = FakeReporter(answer=False)
    assert lifecycle.down(stack, reporter, volumes=True) is False
    assert runner.changing == []
    assert "ipai_odoo_data, ipai_redis_data" in reporter.asked[0]


@pytest.mark.usefixtures("client")
def test_volumes_go_after_a_yes_and_only_when_asked_for(tmp_path: Path) -> None:
    stack, runner = _stack(tmp_path, volume_ls=says("ipai_odoo_data\n"))
    assert lifecycle.down(stack, FakeReporter(), volumes=True)
    down, mark = runner.changing
    assert down[-3:] == ["down", "--remove-orphans", "--volumes"]
    assert f"{tmp_path}/compose.prod.yaml" in down  # whose volumes are named too
    assert mark == ["docker", "volume", "rm", "--force", "ipai-platform_installation"]
    reporter = FakeReporter()
    assert lifecycle.down(stack, reporter)
    stopped = runner.changing[-1]
    # Without this Compose would leave the local Supabase running.
    assert "--profile * down" in " ".join(stopped)
    assert runner.changing[-1][-2:] == ["down", "--remove-orphans"]
    assert reporter.asked == []


@pytest.mark.usefixtures("client")
def test_a_failed_preflight_changes_nothing(tmp_path: Path) -> None:
    stack, runner = _stack(tmp_path)
    checks = [Check("Secrets", lambda: Finding(Status.FAILED, "missing", "make them"))]
    with pytest.raises(OpsError, match=r"(?s)not started:.*Secrets: missing"):
        lifecycle.up(stack, FakeReporter(), checks)
    assert runner.changing == []


@pytest.mark.usefixtures("client")
def test_what_does_not_run_is_not_restarted(tmp_path: Path) -> None:
    stack, runner = _stack(tmp_path, _row("odoo"), _row("nginx", State="exited", Health=""))
    with pytest.raises(OpsError, match="nginx is not running"):
        lifecycle.restart(stack, FakeReporter(), "nginx")
    assert runner.changing == []


@pytest.mark.parametrize(
    ("port", "state", "environment"),
    [
        (443, "running", Environment.PROD),
        (80, "running", Environment.DEV),
        (443, "exited", Environment.DEV),  # nothing runs: as the settings say
    ],
)
def test_the_environment_that_runs_is_told_by_the_https_port(
    tmp_path: Path, port: int, state: str, environment: Environment
) -> None:
    row = _row("nginx", State=state, Publishers=[{"PublishedPort": 8443, "TargetPort": port}])
    stack, _ = _stack(tmp_path, row)
    assert stack.as_running().settings.environment is environment
