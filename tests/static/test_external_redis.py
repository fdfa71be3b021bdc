"""compose.external-redis.yaml, as Compose merges it with the others."""

from functools import cache
from typing import Any

import pytest

from tests.static.support.compose_merged import configured, merged
from tests.static.support.project import (
    COMPOSE_FILES,
    EXTERNAL_FILES,
    EXTERNAL_REDIS_FILES,
    REPLICAS_FILE,
    ROOT,
    documented,
    variables,
)

_FILES = {
    "dev": (*COMPOSE_FILES[:1], *EXTERNAL_REDIS_FILES[:1]),
    "prod": (*COMPOSE_FILES, *EXTERNAL_REDIS_FILES[:1]),
    "replicas": (*COMPOSE_FILES, REPLICAS_FILE, *EXTERNAL_REDIS_FILES),
    # As Settings.compose_files has them where PostgreSQL is elsewhere, too.
    "both": (*COMPOSE_FILES, REPLICAS_FILE, *EXTERNAL_FILES, *EXTERNAL_REDIS_FILES),
}
_EACH = pytest.mark.parametrize("environment", _FILES)
_GIVEN = {
    "REDIS_EXTERNAL_HOST": "redis.test",
    "REDIS_EXTERNAL_USER": "shop",
    "REDIS_EXTERNAL_CA_FILE": "/etc/ca.pem",
    "POSTGRES_EXTERNAL_HOST": "db.test",
}
_SERVING = {"odoo", "odoo_cron", "odoo_websocket"}
_WITH_PASSWORD = {*_SERVING, "redis", "monitoring_secrets"}
_SESSIONS = {
    "SESSION_REDIS_HOST": "redis.test",
    "SESSION_REDIS_PORT": "6379",
    "SESSION_REDIS_USER": "shop",
    "SESSION_REDIS_DB": "0",
    "SESSION_REDIS_PREFIX": "session:",
    "SESSION_REDIS_TLS": "true",
    "SESSION_REDIS_TLS_CA_FILE": "/etc/redis-ca.pem",
    "SESSION_REDIS_SENTINELS": "",
    "SESSION_REDIS_SENTINEL_MASTER": "",
    "SESSION_REDIS_SENTINEL_AUTH": "false",
}


@cache
def _services(environment: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = configured(_FILES[environment], "--profile", "*", **_GIVEN)[
        "services"
    ]
    return found


def _have(environment: str, secret: str) -> set[str]:
    services = _services(environment)
    return {n for n, s in services.items() if secret in {x["source"] for x in s.get("secrets", ())}}


@_EACH
def test_what_serves_people_keeps_its_sessions_there(environment: str) -> None:
    services = _services(environment)
    serving = _SERVING & {*services}
    assert len(serving) == (3 if environment in ("replicas", "both") else 1)
    for name in serving:
        assert _SESSIONS.items() <= services[name]["environment"].items(), name
        mounts = {v["target"]: v for v in services[name]["volumes"]}
        assert mounts["/etc/redis-ca.pem"]["source"] == "/etc/ca.pem"
        assert mounts["/etc/redis-ca.pem"]["read_only"] is True
        if environment == "both":
            assert services[name]["environment"]["PGHOST"] == "db.test"
    assert _have(environment, "redis_password") == _WITH_PASSWORD & {*services}


@_EACH
def test_copies_stay_with_the_container_that_has_no_sessions_of_people(environment: str) -> None:
    for name, service in _services(environment).items():
        if name not in _SERVING:
            told = {n: v for n, v in service.get("environment", {}).items() if "SESSION_REDIS" in n}
            assert told in (
                {},
                {"SESSION_REDIS_PREFIX": "drill:"},
                {"SESSION_REDIS_PREFIX": "clone:"},
            )


@_EACH
def test_nothing_but_what_asks_it_gets_a_way_out(environment: str) -> None:
    before = merged("replicas" if environment == "both" else environment)["services"]
    changed = {
        name: {*service.get("networks", ())} - {*before[name].get("networks", ())}
        for name, service in _services(environment).items()
    }
    asking = {"redis", "redis_exporter", *(["odoo_db"] if environment == "both" else [])}
    assert {name for name, networks in changed.items() if networks} == asking
    assert all(changed[name] == {"edge"} for name in asking)


@_EACH
def test_the_container_stays_a_server_of_its_own(environment: str) -> None:
    before = merged("replicas" if environment == "both" else environment)["services"]["redis"]
    after = _services(environment)["redis"]
    for key in ("command", "entrypoint", "cap_add", "read_only", "tmpfs"):
        assert after[key] == before[key], key
    # Healthy means both: itself, and the one that it asks.
    both = "sh /etc/platform/cli --local ping && sh /etc/platform/cli ping"
    assert after["healthcheck"] == before["healthcheck"] | {"test": ["CMD-SHELL", both]}
    assert "ports" not in after
    assert {v["target"] for v in after["volumes"]} == {
        "/data", "/etc/platform", "/etc/redis-ca.pem"
    }  # fmt: skip


@pytest.mark.parametrize("name", EXTERNAL_REDIS_FILES)
def test_it_invents_no_variable(name: str) -> None:
    shown = documented()
    for variable, defaults in variables((ROOT / name).read_text()).items():
        assert defaults <= {shown[variable], "/dev/null"}, variable
