"""PostgreSQL elsewhere: a stack without servers of its own."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.stack.engine import Engine
from tests.e2e.support import images, postgres_elsewhere
from tests.e2e.support.template import Template
from tests.e2e.swarm.conftest import Swarm, prepared
from tests.support.waiting import eventually

pytestmark = [pytest.mark.soak, pytest.mark.xdist_group("swarm")]

_STACK = "com.docker.stack.namespace"


def _server(swarm: Swarm, tls: Path, password: str) -> None:
    """A service of the swarm, on the stack's network, that no file of ours knows."""
    project, node = swarm.platform.project, swarm.manager
    edge = f"{project}_edge"
    node.docker("network", "create", "--driver", "overlay", "--label", f"{_STACK}={project}", edge)
    image = images.in_use(swarm.platform)["POSTGRES_IMAGE"]
    words = ["--detach", "--no-resolve-image", "--endpoint-mode", "dnsrr", "--name", "elsewhere"]
    words += ["--network", f"name={edge},alias={postgres_elsewhere.NAME}", "--entrypoint", "sh"]
    words += ["--mount", f"type=bind,source={tls},target=/tls,readonly"]
    words += ["--env", "POSTGRES_HOST_AUTH_METHOD=scram-sha-256", "--env", "POSTGRES_PASSWORD=x"]
    node.docker("service", "create", *words, image, "-c", postgres_elsewhere.START)
    assert eventually(lambda: _answers(swarm), 180)
    sql(swarm, f"CREATE ROLE odoo LOGIN CREATEDB PASSWORD '{password}'")


def _answers(swarm: Swarm) -> bool:
    try:
        return bool(sql(swarm, "SELECT 1"))
    except (AssertionError, IndexError):
        return False


def sql(swarm: Swarm, query: str, database: str = "postgres") -> str:
    """As the server's own administrator."""
    name = "label=com.docker.swarm.service.name=elsewhere"
    container = swarm.manager.docker("ps", "--quiet", "--filter", name).split()[0]
    psql = ["psql", "-h", "/var/run/postgresql", "-U", "postgres", "-d", database, "-Atqc", query]
    return swarm.manager.docker("exec", container, *psql).strip()


@pytest.fixture(scope="module")
def elsewhere(
    docker: Engine, template: Template, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Swarm]:
    folder = tmp_path_factory.mktemp("swarm-external")
    tls = folder / "tls"
    postgres_elsewhere.make_certificates(tls)
    settings = ["ODOO_REPLICAS=1", *postgres_elsewhere.settings(tls)]
    password = secrets.token_hex(16)
    with prepared(folder, 1, *settings, password=password) as swarm:
        _server(swarm, tls, password)
        swarm.inv("swarm.deploy")
        assert swarm.visitor.log_in()
        yield swarm


def test_odoo_works_by_encrypted_connections(elsewhere: Swarm) -> None:
    names = {service["name"] for service in elsewhere.status()["services"]}
    assert not names & {"odoo_db", "archiver", "recovery"}
    encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
    assert sql(elsewhere, f"{encrypted} WHERE usename = 'odoo'") == "t"


def test_a_backup_is_restored_there(elsewhere: Swarm) -> None:
    elsewhere.inv("swarm.backup")
    sql(elsewhere, "CREATE TABLE since (n int)", "odoo")
    elsewhere.inv("swarm.restore", "--yes")
    assert sql(elsewhere, "SELECT to_regclass('since') IS NULL", "odoo") == "t"
    assert not elsewhere.visitor.is_known()
