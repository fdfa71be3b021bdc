"""The platform as `quickstart` leaves it, used and maltreated."""

import base64
import os
import re
import socket
import subprocess
import time

import pytest
import requests

from tests.e2e.support import browsing, gate
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.gate import assert_away
from tests.e2e.support.health_report import is_healthy
from tests.e2e.support.production import Answer
from tests.support.waiting import eventually


def websocket_status(port: int) -> str:
    """The status line that answers a websocket handshake."""
    key = base64.b64encode(os.urandom(16)).decode()
    request = (
        f"GET /websocket HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nOrigin: http://localhost:{port}\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=15) as connection:
        connection.sendall(request.encode())
        return connection.recv(4096).decode(errors="replace").splitlines()[0]


def _answer(platform: Checkout, path: str) -> Answer:
    answer = requests.get(platform.url + path, timeout=15, allow_redirects=False)
    return Answer(answer.status_code, tuple(answer.raw.headers.items()), answer.content)


def test_quickstart_prints_the_address_the_login_and_the_file_with_its_password(
    quickstart: tuple[Checkout, subprocess.CompletedProcess[str]],
) -> None:
    checkout, done = quickstart
    assert done.returncode == 0, done.stderr
    assert checkout.url in done.stdout
    assert str(checkout.root / "secrets" / "odoo_admin_password.txt") in done.stdout
    assert checkout.admin_password not in done.stdout + done.stderr
    assert "Keep the key of the backups in another place too: inv backup.key" in done.stderr
    assert checkout.get("/web/login") == 200


def test_a_second_quickstart_says_what_was_there_and_changes_nothing(platform: Checkout) -> None:
    before = platform.container("odoo"), platform.admin_password
    done = platform.inv("quickstart")
    assert done.returncode == 0, done.stderr
    assert "Secrets: already there" in done.stderr
    assert "Building" not in done.stderr
    assert (platform.container("odoo"), platform.admin_password) == before


def test_only_the_generated_password_logs_in(platform: Checkout) -> None:
    assert platform.authenticate("admin", "admin") is None
    assert platform.authenticate("admin", platform.admin_password)


def test_health_prints_what_the_readme_promises(platform: Checkout) -> None:
    done = platform.run("./scripts/health.sh")
    assert is_healthy(done.stdout) and done.returncode == 0, done.stdout


def test_a_person_logs_in_and_sees_no_error(platform: Checkout) -> None:
    with browsing.browsers(platform) as found, found.open() as driver:
        browsing.log_in(driver, "http://nginx", platform.admin_password)
        driver.save_screenshot(str(platform.root / ".state" / "login.png"))
        assert browsing.severe(driver) == []
        answers = browsing.responses(browsing.events(driver))
        assert [answer for answer in answers if answer.status >= 400] == []


def test_the_database_role_of_odoo_is_no_superuser(platform: Checkout) -> None:
    roles = (
        "SELECT rolname, rolsuper FROM pg_roles WHERE rolname IN ('odoo', 'postgres') ORDER BY 1"
    )
    assert platform.sql(roles) == "odoo|f\npostgres|t"
    assert platform.sql("SHOW data_checksums") == "on"
    assert platform.sql("SHOW password_encryption") == "scram-sha-256"


def test_a_wrong_database_password_is_refused_over_the_network(platform: Checkout) -> None:
    attempt = "import psycopg2; psycopg2.connect(dbname='odoo', password='wrong')"
    done = platform.compose(
        "exec", "-T", "-e", "PGPASSFILE=/none", "odoo", "python3", "-c", attempt
    )
    assert done.returncode != 0
    assert "password authentication failed" in done.stderr


def test_no_secret_is_in_the_engines_records_or_in_process_arguments(platform: Checkout) -> None:
    values = [path.read_text().strip() for path in (platform.root / "secrets").glob("*.txt")]
    assert len(values) == 7
    for service in ("odoo", "odoo_init", "odoo_db", "redis", "nginx"):
        record = str(platform.inspect(service))
        arguments = platform.run(
            "docker", "top", platform.container(service), "-eo", "pid,args"
        ).stdout
        logs = platform.compose("logs", service)
        shown = record + arguments + logs.stdout + logs.stderr
        assert service == "odoo_init" or "PID" in arguments  # that one has ended
        # odoo_init has nothing to say where a restore has brought the database.
        assert logs.stdout + logs.stderr or service == "odoo_init"
        assert not [value for value in values if value in shown]


@pytest.mark.parametrize("service", ["nginx", "odoo", "odoo_db", "redis"])
def test_servers_run_without_root_and_with_few_capabilities(
    platform: Checkout, service: str
) -> None:
    host = platform.inspect(service)["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["ReadonlyRootfs"] and host["Memory"] > 0 and host["PidsLimit"] > 0
    # Health checks run as root, for a moment.
    assert eventually(lambda: not _as_root(platform, service), 10)


def _as_root(platform: Checkout, service: str) -> list[str]:
    """Its processes with root's rights, but for those that start the others."""
    columns = ["-eo", "user:12,pid,args"]
    top = platform.run("docker", "top", platform.container(service), *columns).stdout
    servers = [line for line in top.splitlines()[1:] if "docker-init" not in line]
    assert servers
    return [line for line in servers if line.startswith("root ") and "nginx: master" not in line]


def test_websockets_reach_odoo_through_nginx(platform: Checkout) -> None:
    assert " 101 " in websocket_status(platform.http_port) + " "


def test_nginx_answers_for_itself_and_finds_a_recreated_odoo(platform: Checkout) -> None:
    nginx_before = platform.container("nginx")
    # Another container takes the address that Odoo had, so that it gets a new one.
    assert platform.compose("rm", "--stop", "--force", "odoo").returncode == 0
    image = platform.inspect("redis")["Image"]
    squatter = f"{platform.project}-squatter"
    run = ["docker", "run", "-d", "--rm", "--name", squatter, "--network"]
    platform.run(*run, f"{platform.project}_edge", "--entrypoint", "sleep", image, "300")
    try:
        assert platform.get("/nginx-health") == 200
        assert_away(_answer(platform, "/web/login"))
        assert_away(_answer(platform, "/websocket"))
        assert platform.compose("up", "-d", "--no-deps", "odoo").returncode == 0
        assert eventually(lambda: platform.get("/web/login") == 200, 15)
        assert platform.container("nginx") == nginx_before
    finally:
        platform.run("docker", "rm", "--force", "--volumes", squatter)


def test_the_gate_keeps_everybody_out_of_odoo_until_it_opens(platform: Checkout) -> None:
    with gate.closed(platform):
        for path in ("/web/login", "/websocket", "/jsonrpc"):
            assert_away(_answer(platform, path))
        assert platform.get("/nginx-health") == 200
    assert platform.get("/web/login") == 200


def test_the_seeds_module_command_installs_as_typed_and_not_as_root(platform: Checkout) -> None:
    install = ["odoo", "-d", "odoo", "-i", "contacts", "--stop-after-init"]
    done = platform.exec("odoo", *install)
    assert done.returncode == 0, done.stderr
    state = "SELECT state FROM ir_module_module WHERE name = 'contacts'"
    assert platform.sql(state) == "installed"
    owners = platform.exec("odoo", "find", "/var/lib/odoo", "-user", "root")
    assert owners.stdout == ""


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["odoo_db", "pg_dump", "-U", "odoo", "odoo"], "PostgreSQL database dump complete"),
        (["odoo_db", "pg_isready", "-U", "odoo"], "accepting connections"),
        (["odoo_db", "psql", "-U", "odoo", "-d", "odoo", "-c", "SELECT 1"], "(1 row)"),
        (["odoo", "bash", "-c", "echo shell $((40 + 2))"], "shell 42"),
        (["nginx", "nginx", "-t"], "test is successful"),
    ],
)
def test_the_seeds_exec_commands_work(
    platform: Checkout, command: list[str], expected: str
) -> None:
    done = platform.compose("exec", "-T", *command)
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout + done.stderr


def test_psql_and_odoo_shell_reach_the_database(platform: Checkout) -> None:
    done = platform.inv("psql", "--command", "SELECT 6 * 7")
    assert "42" in done.stdout and done.returncode == 0
    assert platform.inv("psql", "--command", "SELECT nonsense").returncode != 0


@pytest.mark.parametrize(
    ("service", "line"),
    [
        pytest.param("odoo_db", "PostgreSQL", marks=pytest.mark.extended),
        pytest.param("redis", "Redis", marks=pytest.mark.extended),
        ("odoo", "Odoo (container)"),
    ],
)
def test_a_killed_service_shows_in_health_and_comes_back(
    platform: Checkout, service: str, line: str
) -> None:
    # A paused container answers nobody and is not restarted: the failure is
    # seen for certain. The kill afterwards is what the restart policy mends.
    container = platform.container(service)
    platform.run("docker", "pause", container)
    try:
        done = platform.inv("health")
    finally:
        platform.run("docker", "unpause", container)
    assert done.returncode == 1
    assert re.search(rf"^{re.escape(line)}: ✗ FAILED", done.stdout, re.MULTILINE), done.stdout
    platform.run("kill", "-KILL", str(platform.pid(service)))
    assert eventually(lambda: platform.inv("health").returncode == 0, 90)
    assert platform.authenticate("admin", platform.admin_password)


def test_up_twice_at_once_lets_one_through_and_names_it_to_the_other(platform: Checkout) -> None:
    both = [platform.start("./scripts/inv", "up") for _ in range(2)]
    outputs = [process.communicate(timeout=300) for process in both]
    assert sorted(process.returncode for process in both) == [0, 1]
    assert any("`inv up` (process" in err and "still running" in err for _, err in outputs)


def test_up_works_from_another_folder(platform: Checkout) -> None:
    done = platform.run(str(platform.root / "scripts" / "inv"), "up", cwd=platform.root.parent)
    assert done.returncode == 0, done.stderr


def test_stopping_and_starting_keeps_the_data(platform: Checkout) -> None:
    platform.sql("CREATE TABLE kept (id int)")
    assert platform.inv("down").returncode == 0
    assert platform.get("/nginx-health") == 0
    look = platform.inv("health", "--only", "nginx", "--notify", "http://127.0.0.1:9/nobody")
    assert look.returncode == 1 and not look.stderr, "nobody is alarmed about a stop on purpose"
    done = platform.inv("up")
    assert done.returncode == 0, done.stderr
    assert platform.sql("SELECT count(*) FROM kept") == "0"


def test_down_with_volumes_destroys_nothing_unless_told_to(platform: Checkout) -> None:
    done = platform.inv("down", "--volumes")
    assert done.returncode == 1
    assert "nothing was destroyed" in done.stderr
    assert platform.get("/web/login") == 200


def test_a_start_that_fails_shows_the_log_of_the_guilty_service(platform: Checkout) -> None:
    conf = platform.root / "nginx" / "nginx.conf"
    good = conf.read_text()
    try:
        conf.write_text(good.replace("sendfile on;", "sendfile maybe;"))
        platform.compose("rm", "--stop", "--force", "nginx")
        started = time.monotonic()
        done = platform.inv("up")
        assert done.returncode == 1
        assert "service nginx is" in done.stderr and "sendfile" in done.stderr
        assert time.monotonic() - started < 300
    finally:
        conf.write_text(good)
        platform.compose("rm", "--stop", "--force", "nginx")
        assert platform.inv("up").returncode == 0
