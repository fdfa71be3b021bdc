"""Another major version of PostgreSQL: refused, interrupted by an error, done, undone, accepted."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.support.checkout import Checkout
from tests.e2e.support.template import Template, running_copy

pytestmark = pytest.mark.xdist_group("postgres")

_CONTENT = """
CREATE ROLE report LOGIN PASSWORD 'report';
ALTER DATABASE company SET statement_timeout = '111s';
ALTER ROLE report IN DATABASE company SET work_mem = '7MB';
ALTER SYSTEM SET log_min_duration_statement = '77s';
CREATE EXTENSION IF NOT EXISTS unaccent;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS vector;
ALTER FUNCTION unaccent(text) IMMUTABLE;
CREATE TABLE company (id serial PRIMARY KEY, name text COLLATE "en_US.utf8", place vector(2));
ALTER TABLE company OWNER TO odoo;
INSERT INTO company (name, place)
SELECT chr(192 + n % 60) || ' Ärger & ß ' || n, ARRAY[n, 1]::vector FROM generate_series(1, 500) n;
CREATE INDEX company_name ON company (name);
CREATE INDEX company_plain ON company USING gin (unaccent(name) gin_trgm_ops);
CREATE INDEX company_place ON company USING hnsw (place vector_l2_ops);
GRANT SELECT ON company TO report;
CREATE DATABASE snapshot TEMPLATE template0;
ALTER DATABASE snapshot ALLOW_CONNECTIONS false;
"""
# An index of it was built when it said something else: it cannot be built another time.
_BREAK = """
CREATE TABLE broken (name text);
ALTER TABLE broken OWNER TO odoo;
INSERT INTO broken VALUES ('x');
CREATE FUNCTION kept(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE INDEX ON broken (kept(name));
CREATE OR REPLACE FUNCTION kept(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
$$ BEGIN RAISE EXCEPTION 'not any more'; END $$;
"""
_FACTS = (
    "SELECT count(*), md5(string_agg(id || name || place, ',' ORDER BY id)) FROM company",
    "SELECT string_agg(pg_get_indexdef(indexrelid), ',' ORDER BY indexrelid::regclass::text)"
    " FROM pg_index WHERE indrelid = 'company'::regclass AND indisvalid",
    "SELECT rolpassword FROM pg_authid WHERE rolname IN ('report', 'odoo') ORDER BY rolname",
    "SELECT setrole::regrole, setconfig FROM pg_db_role_setting ORDER BY 1",
    "SELECT datname, datdba::regrole, datallowconn FROM pg_database WHERE datname <> 'of_16'"
    " ORDER BY 1",
    "SELECT has_table_privilege('report', 'company', 'SELECT'), nextval('company_id_seq') > 500",
    "SELECT setting FROM pg_file_settings WHERE name = 'log_min_duration_statement'",
    "SHOW data_checksums",
    "SELECT provolatile FROM pg_proc WHERE oid = 'unaccent(text)'::regprocedure",
)
_COLLATIONS = (
    "SELECT count(*) FROM pg_database WHERE datname <> 'template0'"
    " AND datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid)"
)


@pytest.fixture
def company(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """PostgreSQL alone, with the books of a company; Odoo would only cost time."""
    checkout = Checkout.clone(tmp_path_factory.mktemp("postgres") / "clone")
    with running_copy(template, checkout) as running:
        others = ("odoo", "odoo_init", "nginx", "mail_catcher", "redis")
        assert running.compose("rm", "--stop", "--force", *others).returncode == 0
        # Not Odoo's own: a backup of that would refuse what `broken` has, and take no vector.
        _execute(running, "CREATE DATABASE company OWNER odoo", "postgres")
        _execute(running, _CONTENT)
        yield running


def _execute(platform: Checkout, script: str, database: str = "company") -> str:
    psql = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database]
    # Each by itself: some may not be in a transaction with others.
    statements = [part for line in script.split(";\n") if line for part in ("-c", line)]
    done = platform.exec("odoo_db", *psql, *statements)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _facts(platform: Checkout) -> list[str]:
    return [_execute(platform, query) for query in _FACTS]


def _volumes(platform: Checkout) -> set[str]:
    name = f"{platform.project}_odoo_db_data"
    listed = platform.run("docker", "volume", "ls", "--quiet", "--filter", f"name={name}")
    return {volume.removeprefix(f"{platform.project}_") for volume in listed.stdout.split()}


def _version(platform: Checkout) -> str:
    return _execute(platform, "SHOW server_version").partition(".")[0]


def test_another_major_version_of_postgresql(company: Checkout) -> None:
    before = _facts(company)
    upgrade = ("postgres.upgrade", "--to", "17", "--yes")

    _execute(company, _BREAK)
    failed = company.inv(*upgrade)
    assert failed.returncode == 1
    assert "company could not be moved:" in failed.stderr and "not any more" in failed.stderr
    assert "hint: The platform runs as before." in failed.stderr
    assert (_version(company), _volumes(company)) == ("16", {"odoo_db_data"})
    assert _facts(company) == before
    _execute(company, "DROP TABLE broken; DROP FUNCTION kept")

    done = company.inv(*upgrade, "--json")
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert (outcome["before"], outcome["postgresql"]) == (16, 17)
    assert (_version(company), _volumes(company)) == ("17", {"odoo_db_data", "odoo_db_data_17"})
    assert _facts(company) == before
    assert _execute(company, _COLLATIONS) == "0"
    plan = (
        "SET enable_seqscan = off; EXPLAIN SELECT FROM company WHERE unaccent(name) LIKE '%arger%'"
    )
    assert "company_plain" in _execute(company, plan)
    again = company.inv(*upgrade)
    assert again.returncode == 0 and "there is nothing to do" in again.stdout
    assert company.inv("backup").returncode == 0
    restored = company.inv("restore", outcome["backup"], "--to-database", "of_16", "--yes")
    assert restored.returncode == 0, restored.stderr
    count = "SELECT count(*) FROM ir_model_fields"
    assert _execute(company, count, "of_16") == _execute(company, count, "odoo")

    _execute(company, "INSERT INTO company (name) VALUES ('since')")
    undone = company.inv("postgres.upgrade", "--undo", "--yes")
    assert undone.returncode == 0, undone.stderr
    assert _version(company) == "16"
    assert _facts(company) == before
    nothing = company.inv("postgres.upgrade", "--undo", "--yes")
    assert nothing.returncode == 1 and "there is no upgrade to undo" in nothing.stderr

    assert company.inv(*upgrade).returncode == 0
    accepted = company.inv("postgres.upgrade", "--accept", "--yes")
    assert accepted.returncode == 0, accepted.stderr
    assert (_version(company), _volumes(company)) == ("17", {"odoo_db_data_17"})
    assert _facts(company) == before

    # The data of one version, the image of another.
    started = company.inv("up", POSTGRES_IMAGE="localhost/ipai/postgres:16")
    assert started.returncode == 1
    assert "the data is of PostgreSQL 17, and this image has 16" in started.stderr
    assert "POSTGRES_VOLUME" in started.stderr.partition("hint: ")[2]
