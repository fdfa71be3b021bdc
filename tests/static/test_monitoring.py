"""The configuration of Prometheus and Alertmanager, its alerts, and the dashboard."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from scripts.core import check_names
from scripts.core.settings import Settings
from scripts.stack import image_names
from scripts.stack.engine import Engine
from scripts.status import history
from tests.static.support.project import ROOT, compose, require_image, run

_FOLDER: Final = ROOT / "monitoring"
_RULES: Final = "/etc/prometheus/rules"
_TESTS: Final = ROOT / "tests" / "static" / "rules"


def _rules(name: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load((_FOLDER / "rules" / name).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


_ALERTS: Final = _rules("alerts.yml")
_RECORDED: Final = {rule["record"] for rule in _rules("recording.yml")}


@pytest.fixture
def images(docker: Engine, pytestconfig: pytest.Config) -> Mapping[str, str]:
    """Those of this platform, by their variables."""
    used = image_names.effective(Settings.load())
    for name in (used["PROMETHEUS_IMAGE"], used["ALERTMANAGER_IMAGE"]):
        require_image(pytestconfig, name, "inv up --monitoring")
    return used


def _checked(image: str, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    mounts = [f"--volume={_FOLDER}:/etc/prometheus:ro", f"--volume={_TESTS}:/tests:ro"]
    confined = ["--network=none", "--read-only", "--cap-drop=ALL", "--tmpfs=/tmp"]
    start = ["docker", "run", "--rm", *confined, *mounts, f"--entrypoint={program}", image]
    return run(*start, *arguments)


@pytest.mark.parametrize(
    ("variable", "arguments"),
    [
        ("PROMETHEUS_IMAGE", "/bin/promtool check config /etc/prometheus/prometheus.yml"),
        ("PROMETHEUS_IMAGE", "/bin/promtool test rules /tests/alerts.yml"),
        ("ALERTMANAGER_IMAGE", "/bin/amtool check-config /etc/prometheus/alertmanager.yml"),
    ],
    ids=["config", "rules", "alertmanager"],
)
def test_the_files_are_right_and_each_alert_fires_for_its_reason_only(
    images: Mapping[str, str], variable: str, arguments: str
) -> None:
    done = _checked(images[variable], *arguments.split())
    assert done.returncode == 0 and "SUCCESS" in done.stdout, done.stdout + done.stderr


def test_every_alert_has_a_test_a_severity_and_says_what_is_wrong() -> None:
    tests = (_TESTS / "alerts.yml").read_text()
    assert _ALERTS
    for rule in _ALERTS:
        name = rule["alert"]
        assert re.search(rf"\b{name}\b", tests), f"{name} is in no test"
        assert rule["labels"]["severity"] in {"critical", "warning", "none"}, name
        assert rule["annotations"]["summary"], name


def test_the_documentation_lists_every_alert_and_no_other() -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text()
    listed = re.findall(r"^\| `([A-Z]\w+)` \| (critical|warning|none) \|", page, re.MULTILINE)
    assert dict(listed) == {rule["alert"]: rule["labels"]["severity"] for rule in _ALERTS}


def test_what_alerts_tell_to_read_is_there() -> None:
    told = " ".join(rule["annotations"].get("action", "") for rule in _ALERTS)
    pages = re.findall(r"docs/[\w/.-]+\.md", told)
    assert pages and all((ROOT / page).is_file() for page in pages)
    checks = re.findall(r"inv health --only ([a-z,-]+)", told)
    assert {word for each in checks for word in each.split(",")} <= set(check_names.WORDS)


def _expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in _ALERTS)
    dashboard = json.loads((_FOLDER / "grafana" / "platform.json").read_text())
    yield from (t["expr"] for panel in dashboard["panels"] for t in panel.get("targets", ()))


def test_alerts_dashboard_and_status_page_use_recorded_values_that_exist() -> None:
    texts = [*_expressions(), *(query for *_, query in history.QUERIES)]
    used = {name for text in texts for name in re.findall(r"\bipai:[a-z_]+:\w+", text)}
    assert used == _RECORDED


def test_every_target_is_a_service_that_prometheus_reaches() -> None:
    services = compose("compose.yaml")["services"]
    for job in yaml.safe_load((_FOLDER / "prometheus.yml").read_text())["scrape_configs"]:
        [target] = job["static_configs"][0]["targets"]
        host = target.partition(":")[0]
        if host != "localhost":
            networks = set(services[host].get("networks", ["metrics"]))
            assert networks & set(services["prometheus"]["networks"]), host


def test_nobody_is_told_unless_somebody_says_whom() -> None:
    found = yaml.safe_load((_FOLDER / "alertmanager.yml").read_text())
    assert found["receivers"] == [{"name": "page"}]


def test_the_image_of_debian_packages_has_the_programs_where_the_official_ones_have_them() -> None:
    text = Path(ROOT / "images" / "monitoring" / "Dockerfile").read_text()
    services = compose("compose.yaml")["services"]
    variables = {f"${{{name}:-" for name in image_names.MONITORING}
    programs = {
        service["entrypoint"][-1].rpartition("/")[2]
        for service in services.values()
        if service["image"].startswith(tuple(variables))
    }
    assert len(programs) == len(image_names.MONITORING)
    assert all(re.search(rf"\b{re.escape(program)}\b", text) for program in programs)
