"""What commands print with --json on a real platform, compared with docs/json.md."""

import json

import pytest

from tests.e2e.support.checkout import Checkout
from tests.support.json_documentation import as_documented, documented

# Those of backups, databases and module changes are compared where they are tested.
_LOOKING = [
    "ps", "health", "status", "config", "config --check", "secrets", "secrets --check", "images",
    "maintenance", "sessions", "module.info base", "upgrade --check", "adopt",
    "sessions.import", "sessions.revoke admin --yes", "supabase.keys", "supabase.keys --show",
]  # fmt: skip


@pytest.mark.parametrize("command", _LOOKING)
def test_what_is_printed_is_what_is_documented(platform: Checkout, command: str) -> None:
    done = platform.inv(*command.split(), "--json")
    as_documented(command if command in documented() else command.split()[0], done.stdout)


def test_an_error_is_one_document(platform: Checkout) -> None:
    done = platform.inv("db.drop", "no_such", "--yes", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"] == done.stderr.splitlines()[0].removeprefix("error: ")
