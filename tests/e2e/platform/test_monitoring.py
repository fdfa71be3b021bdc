"""`inv up --monitoring` on a platform that runs: what Prometheus sees, and who is told."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from scripts.status import history
from tests.e2e.support import images, tools
from tests.e2e.support.checkout import Checkout, free_port
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("health")

_SERVICES = (
    "prometheus", "alertmanager", "postgres_exporter", "redis_exporter", "nginx_exporter",
    "node_exporter", "monitoring_secrets",
)  # fmt: skip
_HOOK = (
    "  - name: page\n    webhook_configs: [{ url: http://receiver:8000/, send_resolved: true }]\n"
)
# The same by a clock that runs faster, and with somebody who is told.
_CHANGES = (
    ("compose.yaml", "--connection-timeout=5s", "--connection-timeout=1s"),
    ("monitoring/prometheus.yml", r"_interval: 30s", "_interval: 2s"),
    ("monitoring/rules/alerts.yml", r"for: \d+m", "for: 1s"),
    ("monitoring/alertmanager.yml", "group_wait: 30s", "group_wait: 1s"),
    ("monitoring/alertmanager.yml", "group_interval: 5m", "group_interval: 1s"),
    ("monitoring/alertmanager.yml", r"  - name: page\n", _HOOK),
)
_RECEIVER = """
import http.server
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("", 8000), Receiver).serve_forever()
"""


@dataclass(frozen=True)
class Watched:
    """A platform with its Prometheus, and somebody who is told of alerts."""

    platform: Checkout
    prometheus: str
    receiver: str
    said: str  # by `inv up --monitoring`

    def query(self, expression: str) -> dict[str, float]:
        """Each value by the labels it has, as JSON."""
        answer = requests.get(
            f"{self.prometheus}/api/v1/query", params={"query": expression}, timeout=10
        ).json()
        return {json.dumps(r["metric"]): float(r["value"][1]) for r in answer["data"]["result"]}

    def value(self, expression: str) -> float | None:
        return next(iter(self.query(expression).values()), None)

    def becomes(self, expression: str, wanted: float) -> bool:
        """Whether the value of `expression` is `wanted` before long."""
        return eventually(lambda: self.value(expression) == wanted, 30)

    def targets(self) -> dict[str, str]:
        answer = requests.get(f"{self.prometheus}/api/v1/targets", timeout=10).json()
        return {t["labels"]["job"]: t["health"] for t in answer["data"]["activeTargets"]}

    def told(self, alert: str, status: str) -> bool:
        """Whether the receiver was told of `alert`, as firing or resolved."""
        lines = self.platform.run("docker", "logs", self.receiver).stdout.splitlines()
        messages = [json.loads(line) for line in lines if line]
        alerts: list[dict[str, Any]] = [a for message in messages for a in message["alerts"]]
        return any(a["labels"]["alertname"] == alert and a["status"] == status for a in alerts)


def _prepare(platform: Checkout) -> None:
    for name, pattern, changed in _CHANGES:
        path = platform.root / name
        text, count = re.subn(pattern, changed, path.read_text())
        assert count, (name, pattern)
        path.write_text(text)


@pytest.fixture(scope="module")
def watched(served: Checkout) -> Iterator[Watched]:
    """The platform with monitoring, which it has not afterwards."""
    _prepare(served)
    ports = {"PROMETHEUS_PORT": free_port(), "ALERTMANAGER_PORT": free_port()}
    with (served.root / ".env").open("a") as settings:
        settings.writelines(f"{name}={port}\n" for name, port in ports.items())
    receiver = f"{served.project}-receiver"
    try:
        done = served.inv("up", "--monitoring")
        assert done.returncode == 0, done.stderr
        start = ["docker", "run", "--detach", "--init", "--name", receiver, "--entrypoint=python3"]
        place = [f"--network={served.project}_monitoring", "--network-alias=receiver"]
        image = images.in_use(served)["ODOO_IMAGE"]
        assert served.run(*start, *place, image, "-c", _RECEIVER).returncode == 0
        address = f"http://localhost:{ports['PROMETHEUS_PORT']}"
        yield Watched(served, address, receiver, done.stdout)
    finally:
        served.run("docker", "rm", "--force", receiver)
        served.compose("--profile", "monitoring", "rm", "--stop", "--force", *_SERVICES)


def test_everything_is_measured_and_what_inv_health_found_too(watched: Watched) -> None:
    assert f"Prometheus: {watched.prometheus}" in watched.said
    jobs = {"prometheus", "alertmanager", "postgresql", "redis", "nginx", "host"}
    assert eventually(lambda: watched.targets() == dict.fromkeys(jobs, "up"), 30), watched.targets()
    for name in ("pg_up", "redis_up", "nginx_up"):
        assert watched.becomes(name, 1), name
    health = watched.platform.inv("health", "--quiet", "--metrics", ".state/metrics/health.prom")
    assert health.returncode == 0, health.stdout + health.stderr
    status = 'ipai_health_status{check="redis",group="services"}'
    assert watched.becomes(status, 0)
    assert eventually(lambda: watched.query("ipai:health_age:seconds"), 20)
    # The rules and the dashboard go by metrics that are there.
    used = set[str]()
    for name in ("rules/recording.yml", "rules/alerts.yml", "grafana/platform.json"):
        text = (watched.platform.root / "monitoring" / name).read_text()
        used |= set(re.findall(r"(?<![:\w])(?:pg|redis|nginx|node)_\w+(?=[\s{)\[])", text))
    assert len(used) > 20
    missing = {name for name in used if not watched.query(name)}
    assert not missing
    assert watched.query("ipai:postgresql_connections:ratio")


def test_the_exporter_of_postgresql_sees_statistics_and_no_table(watched: Watched) -> None:
    password = (watched.platform.root / "secrets" / "monitoring_password.txt").read_text().strip()

    def ask(query: str, database: str = "odoo") -> tuple[int, str]:
        login = 'PGPASSWORD=$0 psql -XtA -h "$(hostname -i)" -U monitoring -d "$1" -c "$2"'
        done = watched.platform.exec("odoo_db", "sh", "-c", login, password, database, query)
        return done.returncode, done.stdout.strip() or done.stderr

    for query in (
        "SELECT 1 FROM res_users",
        "SELECT 1 FROM ir_attachment",
        "DELETE FROM res_users",
    ):
        code, said = ask(query)
        assert code and "permission denied" in said, said
    assert ask("CREATE TABLE mine (id int)")[0]
    assert ask("SELECT count(*) > 0 FROM pg_stat_activity WHERE query IS NOT NULL") == (0, "t")
    member = "SELECT rolname FROM pg_roles WHERE pg_has_role('monitoring', oid, 'MEMBER')"
    roles = {
        "monitoring",
        "pg_monitor",
        "pg_read_all_settings",
        "pg_read_all_stats",
        "pg_stat_scan_tables",
    }
    assert set(ask(member)[1].split()) == roles


def test_the_status_page_shows_what_was_measured_in_a_browser(watched: Watched) -> None:
    assert eventually(lambda: watched.query("ipai:host_cpu_used:ratio"), 30)
    port = free_port()
    address = f"127.0.0.1:{port}"
    server = watched.platform.start("scripts/inv", "status", "--serve", str(port))
    try:
        assert server.stdout
        password = [next(server.stdout) for _ in range(3)][-1].split()[-1]
        assert requests.get(f"http://{address}/", timeout=30).status_code == 401
        image = tools.build(watched.platform, "browser")
        flags = ("--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr")
        argv = ("docker", "run", "--rm", "--network=host", "--entrypoint=chromium", image, *flags)
        url = f"http://status:{password}@{address}/"
        seen = watched.platform.run(*argv, "--dump-dom", url)
    finally:
        server.terminate()
        server.wait(60)
    assert f">{watched.platform.project} <" in seen.stdout, seen.stdout + seen.stderr
    shown = re.findall(r"<figcaption><span>([^<]*)</span><strong>([^<]*)<", seen.stdout)
    assert len(shown) == len(history.QUERIES)
    assert re.fullmatch(r"[\d.]+ %", dict(shown)["Processors"]), shown
    assert "<polyline" in seen.stdout
    assert "Refused to" not in seen.stderr  # by the page's own Content-Security-Policy


def test_what_nginx_counts_is_seen_by_no_visitor(watched: Watched) -> None:
    for path in ("/stub_status", "/nginx_status"):
        answer = requests.get(watched.platform.url + path, timeout=10)
        assert "Active connections" not in answer.text, path
    published = watched.platform.inspect("nginx")["NetworkSettings"]["Ports"]
    assert not published.get("8081/tcp")


def test_a_redis_that_is_gone_is_told_to_somebody_and_so_is_its_return(watched: Watched) -> None:
    assert watched.becomes("redis_up", 1)
    assert watched.platform.compose("stop", "redis").returncode == 0
    try:
        assert eventually(lambda: watched.told("RedisDown", "firing"), 30), watched.query("ALERTS")
    finally:
        assert watched.platform.compose("start", "redis").returncode == 0
    assert eventually(lambda: watched.told("RedisDown", "resolved"), 30)


def test_a_new_password_reaches_the_exporter(watched: Watched) -> None:
    before = watched.platform.inspect("postgres_exporter")["State"]["StartedAt"]
    done = watched.platform.inv("secrets.rotate", "monitoring_password")
    assert done.returncode == 0, done.stderr
    assert "in use" in done.stdout
    assert watched.platform.inspect("postgres_exporter")["State"]["StartedAt"] != before
    # An exporter that is refused says 0, and this one is asked every other second.
    assert watched.becomes("min_over_time(pg_up[10s])", 1), watched.query("pg_up")
