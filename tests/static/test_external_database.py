"""compose.external-db.yaml, as Compose merges it with the others."""

from functools import cache
from typing import Any

import pytest

from tests.static.support.compose_merged import configured, merged
from tests.static.support.project import (
    COMPOSE_FILES,
    EXTERNAL_FILES,
    REPLICAS_FILE,
    ROOT,
    documented,
    variables,
)

_FILES = {
    "dev": (*COMPOSE_FILES[:1], *EXTERNAL_FILES[:1]),
    "prod": (*COMPOSE_FILES, *EXTERNAL_FILES[:1]),
    "replicas": (*COMPOSE_FILES, REPLICAS_FILE, *EXTERNAL_FILES),
}
_EACH = pytest.mark.parametrize("environment", _FILES)
_GIVEN = {"POSTGRES_EXTERNAL_HOST": "db.test", "POSTGRES_EXTERNAL_CA_FILE": "/etc/ca.pem"}
_SERVER = {
    "PGHOST": "db.test",
    "PGPORT": "5432",
    "PGUSER": "odoo",
    "PGSSLMODE": "verify-full",
    "PGSSLROOTCERT": "/etc/postgres-ca.pem",
}
_CA = "/etc/postgres-ca.pem"
_DATABASE = "odoo_db"
# They read the log of a server of ours.
_OF_THE_ARCHIVE = {"archiver", "recovery", "recovery_offsite"}


@cache
def _services(environment: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = configured(_FILES[environment], "--profile", "*", **_GIVEN)[
        "services"
    ]
    return found


def _clients(environment: str) -> set[str]:
    """What speaks to a server of ours without that file."""
    services = merged(environment)["services"]
    speaking = {
        name
        for name, service in services.items()
        if service.get("environment", {}).get("PGHOST") == _DATABASE
    }
    return speaking - _OF_THE_ARCHIVE


@_EACH
def test_every_client_goes_to_that_server_and_verifies_it(environment: str) -> None:
    assert {"odoo", "odoo_init", "odoo_clone", "backup", "restore"} < _clients(environment)
    for name in (*_clients(environment), _DATABASE):
        service = _services(environment)[name]
        assert _SERVER.items() <= service["environment"].items(), name
        mounts = {v["target"]: v for v in service["volumes"]}
        assert mounts[_CA]["source"] == "/etc/ca.pem"
        assert mounts[_CA]["read_only"] is True


@_EACH
def test_what_had_no_way_out_gets_none(environment: str) -> None:
    for name in {*_services(environment)} - {_DATABASE}:
        before, after = merged(environment)["services"][name], _services(environment)[name]
        assert after.get("networks") == before.get("networks"), name
    for name in (*_clients(environment), "postgres_exporter"):
        service = _services(environment)[name]
        link = [] if "edge" in service["networks"] else ["odoo_db:db.test"]
        assert service.get("links", []) == link, name


@_EACH
def test_the_database_s_container_runs_no_server_and_keeps_nothing(environment: str) -> None:
    service = _services(environment)[_DATABASE]
    assert service["entrypoint"] == ["sh", "/etc/platform/external"]
    assert not service["command"]
    assert set(service["networks"]) == {"backend", "edge"}
    assert "ports" not in service
    assert all(v["type"] == "bind" and v["read_only"] for v in service["volumes"])
    assert "POSTGRES_PASSWORD_FILE" not in service["environment"]
    assert set(service["cap_add"]) == {"DAC_READ_SEARCH", "KILL", "SETGID", "SETUID"}


@_EACH
def test_its_log_is_archived_by_who_runs_it(environment: str) -> None:
    services = _services(environment)
    assert services["archiver"]["profiles"] == ["continuous"]
    for name in _clients(environment):
        assert services[name]["environment"].get("BACKUP_CONTINUOUS", "false") == "false", name


@pytest.mark.parametrize("name", EXTERNAL_FILES)
def test_it_invents_no_variable(name: str) -> None:
    shown = documented()
    for variable, defaults in variables((ROOT / name).read_text()).items():
        assert defaults <= {shown[variable], "/dev/null"}, variable
