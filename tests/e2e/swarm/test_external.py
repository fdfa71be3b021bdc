"""PostgreSQL and Redis elsewhere: a stack without servers of its own."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.stack.engine import Engine
from tests.e2e.support import images, postgres_elsewhere, redis_elsewhere
from tests.e2e.support.template import Template
from tests.e2e.swarm.conftest import Swarm, prepared
from tests.support.waiting import eventually

pytestmark = [pytest.mark.soak, pytest.mark.xdist_group("swarm")]

_STACK = "com.docker.stack.namespace"


def _servers(swarm: Swarm, tls: Path, redis: Path, password: str) -> None:
    """Services of the swarm, on the stack's network, that no file of ours knows."""
    project, node = swarm.platform.project, swarm.manager
    edge = f"{project}_edge"
    node.docker("network", "create", "--driver", "overlay", "--label", f"{_STACK}={project}", edge)
    used = images.in_use(swarm.platform)
    database = ["--env", "POSTGRES_HOST_AUTH_METHOD=scram-sha-256", "--env", "POSTGRES_PASSWORD=x"]
    for name, alias, mount, image, start, options in (
        ("elsewhere", postgres_elsewhere.NAME, f"source={tls},target=/tls",
         "POSTGRES_IMAGE", postgres_elsewhere.START, database),
        ("sessions", redis_elsewhere.NAME, f"source={redis},target=/elsewhere",
         "REDIS_IMAGE", redis_elsewhere.START, ["--init"]),
    ):  # fmt: skip
        words = ["--detach", "--no-resolve-image", "--endpoint-mode", "dnsrr", "--name", name]
        words += ["--network", f"name={edge},alias={alias}", "--entrypoint", "sh", *options]
        words += ["--mount", f"type=bind,{mount},readonly"]
        node.docker("service", "create", *words, used[image], "-c", start)
    assert eventually(lambda: _answers(swarm), 180)
    sql(swarm, f"CREATE ROLE odoo LOGIN CREATEDB PASSWORD '{password}'")


def _answers(swarm: Swarm) -> bool:
    try:
        return bool(sql(swarm, "SELECT 1"))
    except (AssertionError, IndexError):
        return False


def _in(swarm: Swarm, name: str, *command: str) -> str:
    chosen = f"label=com.docker.swarm.service.name={name}"
    container = swarm.manager.docker("ps", "--quiet", "--filter", chosen).split()[0]
    return swarm.manager.docker("exec", container, *command).strip()


def sql(swarm: Swarm, query: str, database: str = "postgres") -> str:
    """As the server's own administrator."""
    psql = ["psql", "-h", "/var/run/postgresql", "-U", "postgres", "-d", database, "-Atqc", query]
    return _in(swarm, "elsewhere", *psql)


@pytest.fixture(scope="module")
def elsewhere(
    docker: Engine, template: Template, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Swarm]:
    folder = tmp_path_factory.mktemp("swarm-external")
    tls = folder / "tls"
    postgres_elsewhere.make_certificates(tls)
    redis = folder / "redis"
    redis_elsewhere.prepare(redis)
    settings = ["ODOO_REPLICAS=1", *postgres_elsewhere.settings(tls)]
    settings += redis_elsewhere.settings(redis)
    password = secrets.token_hex(16)
    with prepared(folder, 1, *settings, password=password) as swarm:
        _servers(swarm, tls, redis, password)
        refused = swarm.platform.inv("swarm.deploy")
        assert refused.returncode == 1 and "redis_password.txt" in refused.stderr
        given = swarm.platform.root / "secrets" / "redis_password.txt"
        given.write_text(redis_elsewhere.PASSWORD)
        swarm.inv("swarm.deploy")
        assert swarm.visitor.log_in()
        yield swarm


def test_odoo_works_by_encrypted_connections(elsewhere: Swarm) -> None:
    names = {service["name"] for service in elsewhere.status()["services"]}
    assert not names & {"odoo_db", "archiver", "recovery", "redis"}
    encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
    assert sql(elsewhere, f"{encrypted} WHERE usename = 'odoo'") == "t"


def test_the_session_is_where_nobody_but_odoo_knows_it(elsewhere: Swarm) -> None:
    identifier = elsewhere.visitor.cookie.partition("=")[2][:42]
    cli = "redis-cli -h $NAME --tls --cacert /elsewhere/ca.pem exists session:$KEY"
    given = ["env", f"REDISCLI_AUTH={redis_elsewhere.PASSWORD}", f"KEY={identifier}"]
    asked = [*given, f"NAME={redis_elsewhere.NAME}", "sh", "-c", cli]
    assert _in(elsewhere, "sessions", *asked) == "1"


def test_a_backup_is_restored_there(elsewhere: Swarm) -> None:
    elsewhere.inv("swarm.backup")
    sql(elsewhere, "CREATE TABLE since (n int)", "odoo")
    elsewhere.inv("swarm.restore", "--yes")
    assert sql(elsewhere, "SELECT to_regclass('since') IS NULL", "odoo") == "t"
    assert not elsewhere.visitor.is_known()
