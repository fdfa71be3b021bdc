"""Dumps as people make them by hand."""

from pathlib import Path
from typing import Final

from tests.e2e.support.checkout import Checkout

END: Final = "--\n-- PostgreSQL database dump complete"  # its last words


def dump(platform: Checkout, file: Path, *options: str, database: str = "odoo") -> None:
    """Have pg_dump write `database` into `file`."""
    argv = ["docker", "compose", "exec", "-T", "odoo_db", "pg_dump", "-U", "postgres", *options]
    done = platform.run("sh", "-c", f"{' '.join([*argv, database])} > {file}")
    assert done.returncode == 0, done.stderr
