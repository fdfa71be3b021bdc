"""compose.swarm-external-*.yaml: servers that the stack does not run."""

from functools import cache
from typing import Any

import pytest

from tests.static.support.compose_merged import configured
from tests.static.support.project import (
    COMPOSE_FILES,
    EXTERNAL_REDIS_FILES,
    REPLICAS_FILE,
    ROOT,
    SWARM_EXTERNAL_FILES,
    SWARM_FILE,
    compose,
    documented,
    variables,
)

_FILES = (*COMPOSE_FILES, REPLICAS_FILE, SWARM_FILE, *SWARM_EXTERNAL_FILES)
_GIVEN = {
    "POSTGRES_EXTERNAL_HOST": "db.test",
    "POSTGRES_EXTERNAL_CA_FILE": "/etc/ca.pem",
    "REDIS_EXTERNAL_HOST": "redis.test",
    "REDIS_EXTERNAL_CA_FILE": "/etc/redis.pem",
}
_CLIENTS = ("odoo", "odoo_cron", "odoo_websocket", "odoo_init", "backup", "restore")


@cache
def _merged() -> dict[str, Any]:
    return configured(_FILES, **_GIVEN)


def test_the_stack_has_no_server_and_nothing_that_archives_a_log() -> None:
    assert set(_merged()["services"]) == {"nginx", *_CLIENTS}


def test_all_its_images_are_built() -> None:
    services = _merged()["services"].values()
    built = {service["image"] for service in services if service.get("build")}
    assert {service["image"] for service in services} == built


@pytest.mark.parametrize("name", _CLIENTS)
def test_clients_verify_the_server_and_reach_it(name: str) -> None:
    service = _merged()["services"][name]
    told = {
        "PGHOST": "db.test",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/etc/postgres-ca.pem",
    }
    assert told.items() <= service["environment"].items()
    assert service["environment"]["BACKUP_CONTINUOUS"] == "false"
    authority = {"source": "postgres_ca", "target": "/etc/postgres-ca.pem"}
    assert authority in service["configs"]
    assert {"backend", "edge"} <= set(service["networks"])
    assert not service.get("links")
    assert _merged()["configs"]["postgres_ca"]["file"] == "/etc/ca.pem"


@pytest.mark.parametrize("name", _CLIENTS[:3])
def test_sessions_are_kept_where_the_compose_file_says(name: str) -> None:
    service, alone = (
        _merged()["services"][name],
        compose(EXTERNAL_REDIS_FILES[0])["services"]["odoo"],
    )
    given = {key for key in service["environment"] if key.startswith("SESSION_REDIS_")}
    assert given == set(alone["environment"])
    assert service["environment"]["SESSION_REDIS_HOST"] == "redis.test"
    assert service["environment"]["SESSION_REDIS_TLS_CA_FILE"] == "/etc/redis-ca.pem"
    assert {"source": "redis_ca", "target": "/etc/redis-ca.pem"} in service["configs"]
    assert "redis_password" in {secret["source"] for secret in service["secrets"]}
    assert _merged()["configs"]["redis_ca"]["file"] == "/etc/redis.pem"


@pytest.mark.parametrize("name", SWARM_EXTERNAL_FILES)
def test_it_invents_no_variable(name: str) -> None:
    shown = documented()
    for variable, defaults in variables((ROOT / name).read_text()).items():
        if variable != "COMPOSE_PROJECT_NAME":
            assert defaults <= {shown[variable], "./secrets.example/README.md"}, variable
