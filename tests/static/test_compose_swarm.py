"""compose.swarm.yaml: what Docker Swarm is given, and what it would ignore or refuse."""

import json
import re
import shutil
from functools import cache
from typing import Any

import pytest

from scripts.swarm import stackfile
from tests.static.support.compose_merged import configured, service_of
from tests.static.support.project import (
    COMPOSE_FILES,
    REPLICAS_FILE,
    ROOT,
    SWARM_FILE,
    documented,
    run,
    variables,
)

_FILES = (*COMPOSE_FILES, REPLICAS_FILE, SWARM_FILE)
_ODOO = ("odoo", "odoo_cron", "odoo_websocket")
_ONCE = ("backup", "restore", "recovery")  # no task but while `inv` wants one
_ON_THE_DATA = ("odoo_db", "redis", "archiver", *_ONCE)
_SERVICES = {"nginx", "odoo_init", *_ODOO, *_ON_THE_DATA}
_IMAGE_OF = {
    "nginx": "nginx",
    "odoo": "odoo",
    "odoo_init": "odoo",
    "odoo_db": "postgres",
    "redis": "redis",
    "backup": "backup",
    "restore": "backup",
    "recovery": "backup",
    "archiver": "backup",
}


@cache
def _merged() -> dict[str, Any]:
    return configured(_FILES)


def test_it_has_these_services_and_no_other() -> None:
    assert set(_merged()["services"]) == _SERVICES


@pytest.mark.parametrize("name", sorted(_SERVICES))
def test_nothing_is_left_to_what_swarm_ignores(name: str) -> None:
    service = _merged()["services"][name]
    assert not service.get("tmpfs") and not service.get("depends_on")
    assert "profiles" not in service and "shm_size" not in service
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert service["deploy"]["restart_policy"]["condition"]
    assert service["deploy"]["endpoint_mode"] == "dnsrr"
    assert service["deploy"]["resources"]["limits"]["memory"]
    assert all(int(secret["mode"], 8) == 0o400 for secret in service.get("secrets", ()))


@pytest.mark.parametrize("name", sorted(_SERVICES - {*_ONCE}))
def test_it_is_as_in_production_but_for_where_its_files_are(name: str) -> None:
    swarm, alone = _merged()["services"][name], service_of("replicas", name)
    for key in ("command", "entrypoint", "environment", "healthcheck", "cap_add", "init"):
        assert swarm.get(key) == alone.get(key), key
    assert swarm["deploy"]["resources"]["limits"] == alone["deploy"]["resources"]["limits"]
    # In memory, what production has there; and a temporary folder.
    memory = {mount["target"] for mount in swarm["volumes"] if mount["type"] == "tmpfs"}
    assert {place.partition(":")[0] for place in alone.get("tmpfs", ())} <= memory


@pytest.mark.parametrize("name", sorted(_SERVICES))
def test_no_node_needs_a_checkout(name: str) -> None:
    mounts = _merged()["services"][name]["volumes"]
    bound = {mount["target"] for mount in mounts if mount["type"] == "bind"}
    assert bound == ({"/repository"} if _IMAGE_OF.get(name) == "backup" else set())
    image = _merged()["services"][name]["image"]
    assert image.startswith("localhost/ipai-platform/swarm-")


@pytest.mark.parametrize("name", sorted(_IMAGE_OF))
def test_what_compose_mounts_is_in_the_image(name: str) -> None:
    text = (ROOT / "swarm" / f"{_IMAGE_OF[name]}.Dockerfile").read_text()
    copied = [line.split()[1:] for line in text.splitlines() if line.startswith("COPY")]
    targets = [words[-1].rstrip("/") for words in copied]
    for mount in service_of("replicas", name)["volumes"]:
        if mount["type"] != "bind" or mount["target"] == "/etc/smtp-ca.pem":
            continue
        if mount["target"] in ("/run/platform-secrets", "/repository", "/run/backup-credentials"):
            continue
        assert any(
            place == mount["target"] or place.startswith(f"{mount['target']}/") for place in targets
        ), mount


def test_images_get_neither_secrets_nor_keys() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert next(line for line in lines if line and not line.startswith("#")) == "*"
    allowed = [line[1:] for line in lines if line.startswith("!")]
    assert not [path for path in allowed if re.search(r"secret|certs|tls|backup|\.env", path)]
    assert "nginx" not in allowed


def test_servers_of_data_have_one_place_and_one_task() -> None:
    for name in _ON_THE_DATA:
        deploy = _merged()["services"][name]["deploy"]
        assert deploy["placement"]["constraints"] == ["node.labels.ipai.data == true"]
        assert deploy.get("update_config", {}).get("order", "stop-first") == "stop-first"
        assert deploy["replicas"] == (0 if name in _ONCE else 1)


def test_odoo_starts_before_it_stops_and_goes_back_where_it_fails() -> None:
    services = _merged()["services"]
    for name in ("odoo", "odoo_websocket"):
        update = services[name]["deploy"]["update_config"]
        assert (update["order"], update["failure_action"]) == ("start-first", "rollback")
    # Scheduled actions: never two at once.
    cron = services["odoo_cron"]["deploy"]
    assert (cron["replicas"], cron["update_config"]["order"]) == (1, "stop-first")


def test_ports_are_those_of_the_node() -> None:
    ports = _merged()["services"]["nginx"]["ports"]
    assert {(port["target"], port["mode"]) for port in ports} == {(80, "host"), (443, "host")}
    assert not any(
        service.get("ports") for name, service in _merged()["services"].items() if name != "nginx"
    )


def test_attachments_are_on_a_volume_of_another_name_than_that_of_one_machine() -> None:
    volume = _merged()["volumes"]["odoo_data"]
    assert volume["name"] == "ipai-platform_odoo_data_shared"
    assert volume["driver_opts"]["type"] == "nfs"


def test_dockers_own_client_accepts_it() -> None:
    if not shutil.which("docker") or run("docker", "stack", "config", "--help").returncode:
        pytest.skip("the Docker client has no `docker stack config`")
    converted = json.dumps(stackfile.convert(_merged(), {}, ROOT))
    done = run("docker", "stack", "config", "--compose-file", "-", stdin=converted)
    assert done.returncode == 0, done.stderr
    assert set(_SERVICES) <= set(re.findall(r"^  (\w+):$", done.stdout, re.MULTILINE))


def test_its_variables_have_the_defaults_of_env_example() -> None:
    shown = documented()
    for name, defaults in variables((ROOT / SWARM_FILE).read_text()).items():
        if name.startswith("SWARM_") and name != "SWARM_REGISTRY":
            assert defaults == {shown[name]}, name
