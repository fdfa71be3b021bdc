"""The modules that Odoo must not serve without, wherever they are named, and its connections."""

import ast
import re

import pytest

from scripts.stack import permissions
from tests.static.support.project import ROOT, compose

_BIN = ROOT / "odoo" / "bin"
_ADDON = ROOT / "odoo" / "addons" / "platform_http"


def test_all_places_name_the_same_modules() -> None:
    both = set(permissions.REQUIRED)
    for program in ("platform-addons", "platform-odoo"):
        found = re.search(r"^REQUIRED = (.+?)(  #|$)", (_BIN / program).read_text(), re.MULTILINE)
        assert found and set(ast.literal_eval(found[1])) == both, program
    entrypoint = (_BIN / "platform-entrypoint").read_text()
    assert (
        "for module in session_redis platform_http platform_files platform_mail; do" in entrypoint
    )
    assert "platform_http,session_redis,platform_files,platform_mail >>" in entrypoint
    for name in both:
        assert (ROOT / "odoo" / "addons" / name / "__manifest__.py").is_file()


def test_it_may_be_passed_on_and_is_not_to_be_installed() -> None:
    manifest = ast.literal_eval((_ADDON / "__manifest__.py").read_text())
    assert manifest["license"] == "LGPL-3" and manifest["pre_init_hook"] == "refuse_installation"


@pytest.mark.parametrize("name", ["odoo", "platform-develop"])
def test_odoo_is_started_by_the_program_that_refuses(name: str) -> None:
    assert "/usr/bin/odoo" not in (_BIN / name).read_text()


def test_odoo_opens_fewer_connections_than_postgresql_takes() -> None:
    conf = (ROOT / "odoo" / "odoo.conf").read_text()
    option = dict(re.findall(r"^(\w+) = (\d+)$", conf, re.MULTILINE))
    command = compose("compose.prod.yaml")["services"]["odoo_db"]["command"]
    (written,) = [part for part in command if part.startswith("max_connections=")]
    most = int(written.removeprefix("max_connections=${POSTGRES_MAX_CONNECTIONS:-").rstrip("}"))
    processes = int(option["workers"]) + int(option["max_cron_threads"])
    odoo = processes * int(option["db_maxconn"]) + int(option["db_maxconn_gevent"])
    twice = odoo + int(option["workers"]) * int(option["db_maxconn"])
    assert odoo < twice <= most - 3, "room for twice the workers, and for the superuser"


def test_a_connection_to_postgresql_is_not_waited_for_without_end() -> None:
    for name in ("odoo", "odoo_init", "odoo_modules"):
        environment = compose("compose.yaml")["services"][name]["environment"]
        assert 2 <= int(environment["PGCONNECT_TIMEOUT"]) <= 10
