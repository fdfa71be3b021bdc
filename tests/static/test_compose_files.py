"""The compose files as they stand, and as Compose merges them."""

import json
import re

import pytest
import yaml

from tests.static.support.compose_merged import (
    ENVIRONMENTS,
    KEEPER,
    MONITORING,
    merged,
    published,
    service_of,
)
from tests.static.support.project import (
    COMPOSE_FILES,
    DEBUG_FILE,
    ROOT,
    compose,
    has_compose,
    public_environment,
    run,
)

_SERVICES = sorted({s for name in COMPOSE_FILES for s in compose(name)["services"]})
_EVERY = pytest.mark.parametrize(
    ("environment", "name"),
    [
        (environment, name)
        for environment, files in ENVIRONMENTS.items()
        for name in sorted({s for file in files for s in compose(file)["services"]})
        if all(compose(file)["services"].get(name, {}) is not None for file in files)  # !reset
    ],
)
_BACKUPS = {
    "backup",
    "backup_offsite",
    "restore",
    "restore_offsite",
    "odoo_drill",
    "recovery",
    "recovery_offsite",
}
_ARCHIVER = "archiver"
_SANDBOX = "sandbox"
_APART = {_SANDBOX, KEEPER, "postgres_upgrade"}
_RUNS_ONCE = {
    "odoo_init",
    "odoo_modules",
    "odoo_rehearsal",
    "certbot",
    "supabase_cloud",
    "postgres_upgrade",
    _SANDBOX,
    *_BACKUPS,
}
_ONE_SHOT = "no"
# Started as root, they give their own data folder to its user and step down.
_EXTRA_CAPABILITIES = {
    "CHOWN",
    "DAC_READ_SEARCH",
    "FOWNER",
    "KILL",
    "NET_BIND_SERVICE",
    "SETGID",
    "SETUID",
}


_PAGES = {
    "prometheus": {("127.0.0.1", "9090", 9090)},
    "alertmanager": {("127.0.0.1", "9093", 9093)},
}


@pytest.mark.parametrize("name", [*COMPOSE_FILES, DEBUG_FILE])
def test_every_anchor_is_used(name: str) -> None:
    tokens = list(yaml.scan((ROOT / name).read_text()))
    anchors = {token.value for token in tokens if isinstance(token, yaml.AnchorToken)}
    aliases = {token.value for token in tokens if isinstance(token, yaml.AliasToken)}
    assert anchors == aliases


@_EVERY
def test_a_service_is_confined(environment: str, name: str) -> None:
    service = service_of(environment, name)
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["cap_drop"] == ["ALL"]
    # Backups lie in a folder of the user; everything else is read-only there.
    extra = {"DAC_OVERRIDE"} if name in {*_BACKUPS, _ARCHIVER} else set()
    assert set(service.get("cap_add", [])) <= _EXTRA_CAPABILITIES | extra
    assert service["read_only"] is True
    assert service["init"] is True
    assert not {"privileged", "container_name", "pid", "ipc"} & set(service)
    assert service.get("network_mode") == ("none" if name in _APART else None)


@_EVERY
def test_a_service_cannot_eat_the_machine(environment: str, name: str) -> None:
    service = service_of(environment, name)
    limits = service["deploy"]["resources"]["limits"]
    assert int(limits["memory"]) > 0
    assert int(limits["pids"]) > 0
    if name == "certbot":  # private keys pass through its output
        assert service["logging"]["driver"] == "none"
        return
    assert service["logging"]["driver"] == "json-file"
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}


@_EVERY
def test_a_service_has_a_health_check_unless_it_is_one_shot(environment: str, name: str) -> None:
    service = service_of(environment, name)
    if service["restart"] == _ONE_SHOT:
        assert name in _RUNS_ONCE
        return
    assert service["restart"] == "always"
    check = service["healthcheck"]
    # Prometheus watches the exporters, and hardly any of their images has a program for it.
    if name in {"mail_catcher", "mail_clone", _ARCHIVER, *MONITORING}:
        assert check == {"disable": True}
        return
    assert check["test"]
    assert {"interval", "timeout", "retries", "start_period"} <= set(check)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_databases_are_on_the_internal_network_only(environment: str) -> None:
    config = merged(environment)
    for name in ("backend", "supabase", "metrics"):
        network = config["networks"][name]
        assert network["internal"] is True
        assert network["driver_opts"] == {"com.docker.network.bridge.inhibit_ipv4": "true"}
    for name in ("odoo_db", "redis", "odoo_init"):
        assert set(service_of(environment, name)["networks"]) == {"backend"}
    assert set(service_of(environment, "nginx")["networks"]) == {"edge"}
    assert set(service_of(environment, "supabase_db")["networks"]) == {"supabase"}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_what_a_stranger_s_file_runs_in_reaches_nothing(environment: str) -> None:
    service = service_of(environment, _SANDBOX)
    assert not {"networks", "secrets", "configs", "env_file"} & set(service)
    assert service["environment"] == {"PYTHONPATH": "/opt/platform"}
    assert service["network_mode"] == "none"
    mounts = {(v["type"], v["target"]): v for v in service["volumes"]}
    assert set(mounts) == {("bind", "/opt/platform/toolbox"), ("volume", "/sandbox")}
    assert mounts["bind", "/opt/platform/toolbox"]["read_only"] is True
    users = [
        n
        for n, s in merged(environment)["services"].items()
        for v in s.get("volumes", [])
        if v["source"] == mounts["volume", "/sandbox"]["source"]
    ]
    assert sorted(users) == ["restore", "restore_offsite", _SANDBOX]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_who_fills_the_volume_of_postgresql_sees_how_full_it_is(environment: str) -> None:
    programs = ("backup", "backup_offsite", "restore", "restore_offsite", "recovery")
    for name in (*programs, "odoo_modules", "odoo_rehearsal"):
        mounts = {v["target"]: v for v in service_of(environment, name)["volumes"]}
        assert mounts["/database"]["read_only"] is True
        assert mounts["/database"]["source"] == "odoo_db_data"
        assert mounts["/database"]["volume"]["nocopy"] is True


def test_nginx_can_write_neither_attachments_nor_proofs() -> None:
    mounts = {v["target"]: v for v in service_of("prod", "nginx")["volumes"]}
    for target in ("/var/lib/odoo", "/var/www/acme"):
        assert mounts[target]["read_only"] is True


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_odoo_serves_one_database_only(environment: str) -> None:
    command = service_of(environment, "odoo")["command"]
    assert "--database=odoo" in command and "--db-filter=^odoo$$" in command


def test_development_publishes_nginx_and_odoo_to_this_machine_only() -> None:
    assert published("dev") == {
        "nginx": {("127.0.0.1", "80", 80)},
        "odoo": {("127.0.0.1", "8069", 8069)},
        "postgrest": {("127.0.0.1", "3000", 3000)},
        "mail_catcher": {("127.0.0.1", "8025", 8025)},
        "nginx_clone": {("127.0.0.1", "8070", 80)},
        **_PAGES,
    }


def test_production_publishes_nginx_only_and_else_to_this_machine() -> None:
    assert published("prod") == {
        "nginx": {("0.0.0.0", "80", 80), ("0.0.0.0", "443", 443)},
        "nginx_clone": {("127.0.0.1", "8070", 80)},
        **_PAGES,
    }


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_served_copy_is_apart_from_the_platform(environment: str) -> None:
    services = merged(environment)["services"]
    for name in ("odoo_clone", "nginx_clone", "mail_clone"):
        assert services[name]["profiles"] == ["clone"], name
    copy = services["odoo_clone"]
    assert {"--database=staging", "--db-filter=^staging$$"} <= set(copy["command"])
    given = copy["environment"]
    assert given["ODOO_DATABASE"] == "staging"
    assert given["ODOO_BASE_URL"] == "http://staging.localhost:8070"
    assert given["SESSION_REDIS_PREFIX"] == "clone:"
    assert given["MAIL_CATCHER"] == "mail_clone.:1025" and "SMTP_HOST" not in given
    assert "secrets" in copy and [s["source"] for s in copy["secrets"]] == ["db_password"]
    # Neither attachments, nor certificates' proofs, nor what the platform's own Nginx keeps.
    volumes = {v["source"] for v in services["nginx_clone"]["volumes"] if v["type"] == "volume"}
    assert volumes == {"nginx_clone_temp"}
    assert set(services["nginx_clone"]["networks"]) == {"edge"}


def test_production_serves_the_production_site_and_runs_on_odoo_conf() -> None:
    targets = {v["target"]: v["source"] for v in service_of("prod", "nginx")["volumes"]}
    assert targets["/etc/nginx/conf.d"] == str(ROOT / "nginx" / "conf.d" / "sites")
    assert not [w for w in service_of("prod", "odoo")["command"] if "workers" in w]


def test_secrets_are_files_never_variables() -> None:
    for environment in ENVIRONMENTS:
        for name, service in merged(environment)["services"].items():
            for variable, value in (service.get("environment") or {}).items():
                secret = re.search("PASSWORD|SECRET|TOKEN", variable)
                named = variable.endswith("_FILE") or value.startswith("@/run/")  # a file's name
                assert not secret or named, f"{name}: {variable}"
        for secret in merged(environment)["secrets"].values():
            assert secret["file"].startswith(str(ROOT / "secrets"))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_bind_mount_is_read_only_and_its_source_is_there(environment: str) -> None:
    for name, service in merged(environment)["services"].items():
        for volume in service.get("volumes", []):
            if volume["type"] == "bind":
                if volume["target"] == "/repository":
                    assert name in {*_BACKUPS, _ARCHIVER}
                    writes = name.startswith("backup") or name == _ARCHIVER
                    assert writes or volume["read_only"] is True
                    continue
                assert volume["read_only"] is True, f"{name}: {volume['source']}"
                assert volume["source"] != "/var/run/docker.sock"
                folder = volume["source"]
                made = (str(ROOT / "secrets"), str(ROOT / ".state"))  # by `inv`
                assert folder.startswith(made) or (ROOT / folder).exists()


def test_another_project_name_renames_everything() -> None:
    if not has_compose():
        pytest.skip("the Compose client is not installed")
    env = {**public_environment(), "COMPOSE_PROJECT_NAME": "second"}
    argv = ["docker", "compose", "--env-file", "/dev/null", "--file", str(ROOT / "compose.yaml")]
    merged = json.loads(run(*argv, "config", "--format", "json", env=env).stdout)
    assert merged["name"] == "second"
    for kind in ("volumes", "networks"):
        assert all(item["name"].startswith("second_") for item in merged[kind].values())
    built = {name: item["image"] for name, item in merged["services"].items() if "build" in item}
    assert built["odoo"] == "localhost/second/odoo:18.0"
    assert all(image.startswith("localhost/second/") for image in built.values())


def test_only_development_starts_odoo_for_developers() -> None:
    assert service_of("dev", "odoo")["command"][:3] == [
        "platform-develop",
        "reload,qweb,xml",
        "odoo",
    ]
    for environment in ENVIRONMENTS:
        for name, service in merged(environment)["services"].items():
            if (environment, name) not in {("dev", "odoo"), ("debug", "odoo")}:
                told = str([service.get(key) for key in ("command", "entrypoint", "environment")])
                assert not re.search(r"develop|reload|--dev|debug", told, re.IGNORECASE), name
    assert "dev_mode" not in (ROOT / "odoo" / "odoo.conf").read_text()


def test_a_debugger_is_published_to_this_machine_only_and_by_its_own_file_only() -> None:
    assert service_of("debug", "odoo")["environment"]["ODOO_DEBUGGER"] == "0.0.0.0:5678"
    also = {"odoo": {("127.0.0.1", "8069", 8069), ("127.0.0.1", "5678", 5678)}}
    assert published("debug") == published("dev") | also
