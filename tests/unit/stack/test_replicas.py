"""Several containers of Odoo: asked for, found, checked, and stopped together."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scripts.core import sizes
from scripts.core.checks import Status
from scripts.core.errors import UsageError
from scripts.core.settings import Environment, Settings, sources
from scripts.health import machine
from scripts.health.answers import Answers
from scripts.stack import lifecycle, replicas
from scripts.stack.compose import Stack
from tests.static.support.project import ROOT
from tests.unit.support.fakes import FakeReporter, FakeRunner, command_line, says, settings_in

_FILES = "com.docker.compose.project.config_files"


def _stack(folder: Path, *rows: dict[str, Any], count: int = 0, prod: bool = True) -> Stack:
    environment = Environment.PROD if prod else Environment.DEV
    settings = settings_in(folder, environment=environment, replicas=count)
    return Stack(settings, FakeRunner({"docker ps": says("\n".join(map(json.dumps, rows)))}))


def _row(service: str, number: int = 1, *, state: str = "running", health: str = "") -> Any:
    files = "/x/compose.yaml,/x/compose.prod.yaml,/x/compose.replicas.yaml"
    name = f"{service}-{number}"
    ports = [{"PublishedPort": 443, "TargetPort": 443}] if service == "nginx" else []
    return {
        "Service": service,
        "Name": name,
        "State": state,
        "Health": health,
        "Labels": f"{_FILES}={files}".replace(",", "\\,"),
        "Publishers": ports,
    }


def test_the_file_of_replicas_is_used_in_production_only(tmp_path: Path) -> None:
    production = settings_in(tmp_path, environment=Environment.PROD, replicas=2)
    assert production.compose_files[-1].name == "compose.replicas.yaml"
    assert len(production.odoo_services) == 3
    development = replace(production, environment=Environment.DEV)
    assert [file.name for file in development.compose_files] == ["compose.yaml"]
    assert development.odoo_services == ("odoo",)


@pytest.mark.parametrize("given", ["many", "-1", "65", "1.5", "0x2"])
def test_what_is_no_number_of_replicas_is_refused(tmp_path: Path, given: str) -> None:
    with pytest.raises(UsageError, match="--replicas"):
        replicas.wanting(_stack(tmp_path), given)


def test_development_has_no_replicas_but_can_be_told_so(tmp_path: Path) -> None:
    stack = _stack(tmp_path, prod=False)
    with pytest.raises(UsageError, match="in production only"):
        replicas.wanting(stack, "2")
    assert replicas.wanting(stack, "0").settings.replicas == 0


def test_what_was_asked_for_is_kept_in_env_and_can_be_taken_back(tmp_path: Path) -> None:
    for given, line in (("3", "ODOO_REPLICAS=3"), ("0", "ODOO_REPLICAS=")):
        stack = replicas.wanting(_stack(tmp_path), given)
        replicas.keep(stack, FakeReporter(), given)
        assert (tmp_path / ".env").read_text().splitlines() == [line]
        assert Settings.load(tmp_path, prod=True).replicas == int(given)


def test_replicas_that_run_count_although_env_says_nothing_of_them(tmp_path: Path) -> None:
    found = _stack(tmp_path, _row("nginx"), _row("odoo", 1), _row("odoo", 2)).as_running()
    assert found.settings.replicas == 2
    assert found._derived["ODOO_REPLICAS"] == "2"


def test_odoo_is_stopped_with_what_works_for_it(tmp_path: Path) -> None:
    stack = _stack(tmp_path, _row("nginx"), _row("odoo"), count=1)
    lifecycle.pause_odoo(stack, FakeReporter())
    assert isinstance(stack.runner, FakeRunner)
    stopped = command_line(stack.runner.changing[-1])
    assert stopped.endswith("stop odoo odoo_cron odoo_websocket")


@pytest.mark.parametrize(
    ("rows", "status", "said"),
    [
        ([_row("odoo"), _row("odoo", 2)], Status.OK, "2 serve requests"),
        ([_row("odoo"), _row("odoo", 2, health="unhealthy")], Status.WARNING,
         "1 of 2 containers of odoo are healthy"),
        ([_row("odoo"), _row("odoo", 2, state="exited")], Status.WARNING, "1 of 2"),
        ([], Status.FAILED, "0 of 2 containers of odoo"),
    ],
)  # fmt: skip
def test_missing_replicas_are_told(
    tmp_path: Path, rows: list[dict[str, Any]], status: Status, said: str
) -> None:
    others = [_row("odoo_cron"), _row("odoo_websocket")]
    stack = _stack(tmp_path, *others, *rows, count=2)
    found = machine.replicas(Answers.of(stack, 4))
    assert found.status is status and said in found.detail


@pytest.mark.parametrize("away", ["odoo_cron", "odoo_websocket"])
def test_a_service_of_which_there_is_one_must_run(tmp_path: Path, away: str) -> None:
    there = [_row(s) for s in ("odoo", "odoo_cron", "odoo_websocket") if s != away]
    found = machine.replicas(Answers.of(_stack(tmp_path, *there, count=1), 4))
    assert found.status is Status.FAILED and away in found.detail


@pytest.mark.parametrize(
    ("count", "env", "refused"),
    [(2, "", False), (4, "", False), (5, "", True), (5, "POSTGRES_MAX_CONNECTIONS=300\n", False)],
)
def test_replicas_that_may_open_too_many_connections_are_refused(
    tmp_path: Path, count: int, env: str, refused: bool
) -> None:
    for name in ("compose.prod.yaml", "compose.replicas.yaml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "odoo").mkdir()
    (tmp_path / "odoo" / "odoo.conf").write_bytes((ROOT / "odoo" / "odoo.conf").read_bytes())
    (tmp_path / ".env").write_text(env)
    present = sizes.present(tmp_path, sources(tmp_path), count)
    assert present["ODOO_DB_MAXCONN"].value == 8
    errors, _ = sizes.contradictions(present, count)
    assert bool(errors) is refused
    assert not errors or "fewer ODOO_REPLICAS" in errors[0]
