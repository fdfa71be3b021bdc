"""Logins over the network, with a password that goes by standard input."""

import subprocess

from tests.e2e.support.checkout import Checkout

_ODOO = "import sys, psycopg2; psycopg2.connect(dbname='odoo', password=sys.stdin.read())"
_SUPABASE = (
    "read -r PGPASSWORD; export PGPASSWORD;"
    " exec psql -h supabase_db -U authenticator -d postgres -tAc 'SELECT 7'"
)


def odoo_role(platform: Checkout, password: str) -> subprocess.CompletedProcess[str]:
    """Odoo's role at PostgreSQL, from Odoo's container."""
    return _run(platform, "odoo", password, "python3", "-c", _ODOO)


def authenticator(platform: Checkout, password: str) -> subprocess.CompletedProcess[str]:
    """PostgREST's role at the database of the local Supabase."""
    return _run(platform, "supabase_db", f"{password}\n", "sh", "-c", _SUPABASE)


def _run(
    platform: Checkout, service: str, text: str, *command: str
) -> subprocess.CompletedProcess[str]:
    # Without the password file that is there: psycopg2 would take that.
    run = ["docker", "exec", "-i", "-e", "PGPASSFILE=/none", f"{platform.project}-{service}-1"]
    return subprocess.run([*run, *command], input=text, capture_output=True, text=True)
