"""Which networks and files monitoring reaches, and where mail goes, by the merged compose files."""

import pytest

from tests.static.support.compose_merged import (
    ENVIRONMENTS,
    KEEPER,
    MONITORING,
    configured,
    merged,
    service_of,
)
from tests.static.support.project import COMPOSE_FILES, ROOT


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_who_measures_reaches_no_more_than_it_asks(environment: str) -> None:
    services = merged(environment)["services"]
    assert {n for n, s in services.items() if s.get("profiles") == ["monitoring"]} == MONITORING
    networks = {name: set(services[name].get("networks", {})) for name in MONITORING}
    assert networks == {
        KEEPER: set(),
        "prometheus": {"metrics", "monitoring"},
        "alertmanager": {"monitoring"},
        "postgres_exporter": {"backend", "metrics"},
        "redis_exporter": {"backend", "metrics"},
        "nginx_exporter": {"edge", "metrics"},
        "node_exporter": {"metrics"},
    }
    others = set(services) - MONITORING
    ours = {n for n in others if {"metrics", "monitoring"} & set(services[n].get("networks", {}))}
    assert not ours
    for name in MONITORING - {KEEPER}:
        assert services[name]["user"] == "65534:65534" and not services[name].get("cap_add"), name
        assert "secrets" not in services[name], name
    # Of the machine nothing is mounted but what `inv health` has written.
    mounts = [(v["source"], v["target"]) for v in services["node_exporter"]["volumes"]]
    assert mounts == [(str(ROOT / ".state" / "metrics"), "/metrics")]


def test_mail_of_development_and_of_copies_is_caught_and_that_of_production_is_not() -> None:
    catcher = "mail_catcher.:1025"  # with the dot: no search domain of this machine is tried
    for environment in ENVIRONMENTS:
        for name in ("odoo", "odoo_init", "odoo_modules", "odoo_drill", "odoo_rehearsal"):
            sends = environment in ("prod", "replicas") and name in ("odoo", "odoo_modules")
            given = service_of(environment, name)["environment"]
            assert given["MAIL_CATCHER"] == ("" if sends else catcher), name
            assert ("SMTP_HOST" in given) == sends, name
    assert "mail_catcher" in merged("dev")["services"]
    assert "mail_catcher" not in merged("prod")["services"]


@pytest.mark.parametrize(("user", "folder"), [("", "secrets.example"), ("me", "secrets")])
def test_the_password_of_the_relay_is_wanted_only_with_a_user(user: str, folder: str) -> None:
    secret = configured(COMPOSE_FILES, SMTP_USER=user)["secrets"]["smtp_password"]
    assert secret["file"] == str(ROOT / folder / "smtp_password.txt")


def test_nothing_waits_for_the_catcher_of_mail() -> None:
    for name, service in merged("dev")["services"].items():
        assert "mail_catcher" not in service.get("depends_on", {}), name


def test_the_services_of_replicas_are_made_as_production_makes_odoo() -> None:
    """Their environment is written twice, as no file can use anchors of another."""
    odoo = service_of("replicas", "odoo")
    for name, own in (
        ("odoo_cron", {"PLATFORM_WORKERS", "PLATFORM_MAX_CRON_THREADS"}),
        ("odoo_websocket", {"PLATFORM_MAX_CRON_THREADS"}),
    ):
        service = service_of("replicas", name)
        told = [
            {key: value for key, value in each["environment"].items() if key not in own}
            for each in (service, odoo)
        ]
        assert told[0] == told[1]
        for part in ("image", "volumes", "secrets", "networks", "tmpfs", "cap_add", "depends_on"):
            assert service[part] == odoo[part], part
        assert not service.get("ports")
