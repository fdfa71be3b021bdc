"""What runs stays development or production, unless somebody says otherwise."""

import json
from pathlib import Path

import pytest

from scripts.core.errors import OpsError, UsageError
from scripts.core.settings import Environment, Settings
from scripts.stack import environments
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeReporter, FakeRunner, says

_FILES = "com.docker.compose.project.config_files=/srv/ipai/compose.yaml"
_PROD = f"{_FILES},/srv/ipai/compose.prod.yaml"


@pytest.fixture(autouse=True)
def _no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLATFORM_ENV", raising=False)


def _stack(
    root: Path, *, labels: str = _PROD, state: str = "running", port: int = 443, **told: bool
) -> Stack:
    publishers = [{"PublishedPort": port, "TargetPort": port}] if state == "running" else []
    row = {"Service": "nginx", "Name": "x-nginx-1", "State": state, "Labels": labels}
    answer = says(json.dumps({**row, "Publishers": publishers}))
    return Stack(Settings.load(root, **told), FakeRunner({"docker ps": answer}))


@pytest.mark.parametrize("state", ["running", "exited", "restarting", "created"])
def test_production_stays_production_where_nothing_was_said(tmp_path: Path, state: str) -> None:
    reporter = FakeReporter()
    stack = environments.settle(_stack(tmp_path, state=state), reporter)
    assert stack.settings.environment is Environment.PROD
    assert stack.settings.bind == "0.0.0.0"
    assert "inv up --dev" in reporter.said[0]
    environments.keep(stack, reporter)
    assert (tmp_path / ".env").read_text() == "PLATFORM_ENV=prod\n"  # for after an `inv down`


def test_a_setting_alone_does_not_close_a_running_production(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PLATFORM_ENV=dev\n")
    with pytest.raises(OpsError, match="production runs here") as caught:
        environments.settle(_stack(tmp_path), FakeReporter())
    assert "inv up --prod" in caught.value.hint and "inv up --dev" in caught.value.hint


@pytest.mark.parametrize("told", ["dev", "prod"])
def test_a_flag_changes_the_environment_and_is_remembered(tmp_path: Path, told: str) -> None:
    other = "prod" if told == "dev" else "dev"
    (tmp_path / ".env").write_text(f"PLATFORM_ENV={other}\n")
    stack = environments.settle(
        _stack(tmp_path, prod=told == "prod", dev=told == "dev"), FakeReporter()
    )
    assert stack.settings.environment is Environment(told)
    environments.keep(stack, FakeReporter())
    assert (tmp_path / ".env").read_text() == f"PLATFORM_ENV={told}\n"


def test_a_setting_makes_production_of_development(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PLATFORM_ENV=prod\n")
    stack = environments.settle(_stack(tmp_path, labels=_FILES, port=80), FakeReporter())
    assert stack.settings.environment is Environment.PROD


def test_development_stays_what_it_is_and_needs_no_line(tmp_path: Path) -> None:
    stack = _stack(tmp_path, labels=_FILES, port=80)
    assert environments.settle(stack, FakeReporter()) is stack
    environments.keep(stack, FakeReporter())
    environments.keep_running(stack, FakeReporter())
    assert not (tmp_path / ".env").exists()


def test_what_is_stopped_as_production_is_started_as_production(tmp_path: Path) -> None:
    environments.keep_running(_stack(tmp_path), FakeReporter())
    assert Settings.load(tmp_path).environment is Environment.PROD


def test_a_debugger_turns_no_production_into_development(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no debugger in production"):
        environments.settle(_stack(tmp_path, debug=True), FakeReporter())


def test_both_environments_at_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exclude each other"):
        Settings.load(tmp_path, prod=True, dev=True)


def test_containers_of_both_environments_are_production(tmp_path: Path) -> None:
    """As an `inv up --dev` leaves them that was interrupted half-way."""
    rows = [
        {"Service": name, "Name": name, "State": "exited", "Labels": labels}
        for name, labels in (("odoo", _FILES), ("nginx", _PROD))
    ]
    answer = says("\n".join(map(json.dumps, rows)))
    stack = Stack(Settings.load(tmp_path), FakeRunner({"docker ps": answer}))
    assert stack.environment() is Environment.PROD
