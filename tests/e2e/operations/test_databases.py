"""`inv db.list`, `db.drop` and `db.copy` on a real PostgreSQL with real files."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.e2e.support.odoo_data import OdooData
from tests.e2e.support.production import Production
from tests.support.json_documentation import as_documented

_ALIVE: Final = "SELECT smtp_host FROM ir_mail_server WHERE active"


@pytest.fixture(scope="module")
def company(production: Production) -> Iterator[OdooData]:
    """The platform, with the attachments of its first login, and a mail server."""
    found = OdooData(production)
    columns = "name, smtp_host, smtp_port, smtp_encryption, active, smtp_authentication"
    values = "'live', 'mail.example.com', 25, 'none', true, 'login'"
    production.sql(f"INSERT INTO ir_mail_server ({columns}) VALUES ({values})")
    yield found
    production.sql("DELETE FROM ir_mail_server")


def _listed(production: Production) -> dict[str, dict[str, Any]]:
    done = production.inv("db.list", "--json")
    assert done.returncode == 0, done.stderr
    return {each["name"]: each for each in as_documented("db.list", done.stdout)}


def _folders(production: Production) -> set[str]:
    return set(production.execute("odoo", "ls", "/var/lib/odoo/filestore").split())


def test_a_copy_has_every_row_and_file_and_can_be_dropped(company: OdooData) -> None:
    production = company.platform
    assert isinstance(production, Production)
    done = production.inv("db.copy", "odoo", "training", "--yes")
    assert done.returncode == 0, done.stderr
    assert "It is not neutralised" in done.stdout
    assert production.sql(_ALIVE, "training") == "mail.example.com"
    files = company.files("training")
    assert files and all(files.values())
    found = _listed(production)
    assert (found["odoo"]["kind"], found["training"]["kind"]) == ("live", "copy")
    assert found["training"]["neutralized"] is False
    assert found["training"]["odoo"] == found["odoo"]["odoo"]
    assert found["training"]["bytes"] > 1_000_000 and found["training"]["file_bytes"] > 0
    assert production.inv("db.drop", "training", "--yes").returncode == 0
    assert set(_listed(production)) == {"odoo"}
    assert _folders(production) == {"odoo"}
    assert all(company.files("odoo").values())


def test_a_neutralised_copy_is_harmless(company: OdooData) -> None:
    production = company.platform
    assert isinstance(production, Production)
    done = production.inv("db.copy", "odoo", "safe", "--neutralize", "--json")
    assert done.returncode == 0, done.stderr
    as_documented("db.copy", done.stdout)
    assert production.sql(_ALIVE, "safe") == "invalid"
    assert _listed(production)["safe"]["neutralized"] is True
    done = production.inv("db.drop", "safe", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    as_documented("db.drop", done.stdout)


@pytest.mark.extended  # as with `inv clone`
def test_a_copy_that_stays_alive_gets_no_name(company: OdooData) -> None:
    """A mail server comes to life again whatever neutralises it."""
    production = company.platform
    assert isinstance(production, Production)
    production.sql("CREATE RULE undead AS ON UPDATE TO ir_mail_server DO INSTEAD NOTHING")
    try:
        done = production.inv("db.copy", "odoo", "safe", "--neutralize")
    finally:
        production.sql("DROP RULE undead ON ir_mail_server")
    assert done.returncode == 1 and "mail servers: live" in done.stderr
    assert set(_listed(production)) == {"odoo"}
    assert _folders(production) == {"odoo"}


def test_a_drop_ends_connections_and_leaves_what_is_needed(company: OdooData) -> None:
    production = company.platform
    production.copy_database("busy")
    sleeping = production.start(
        "docker",
        "exec",
        f"{production.project}-odoo_db-1",
        "psql",
        "-U",
        "odoo",
        "-d",
        "busy",
        "-c",
        "SELECT pg_sleep(600)",
    )
    done = production.inv("db.drop", "busy", "--yes")
    assert done.returncode == 0, done.stderr
    _, errors = sleeping.communicate(timeout=30)
    assert "terminating connection" in errors
    refused = production.inv("db.drop", "odoo", "--yes")
    assert refused.returncode == 1 and "it is the platform's own" in refused.stderr
    unanswered = production.inv("db.drop", "nosuch")
    assert unanswered.returncode == 2 and "There are: odoo" in unanswered.stderr
