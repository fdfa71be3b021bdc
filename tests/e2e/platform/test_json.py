"""What commands print with --json on a real platform, compared with docs/json.md."""

import json

import pytest

from tests.e2e.support.checkout import Checkout
from tests.support.json_documentation import documented, problems

_LOOKING = [
    "ps", "health", "status", "config", "config --check", "secrets", "secrets --check", "images",
    "maintenance", "sessions", "files.check", "db.list", "module.list", "module.info base",
    "module.snapshots", "module.prune", "module.update", "upgrade --check", "adopt",
    "sessions.import", "sessions.revoke admin --yes", "supabase.keys", "supabase.keys --show",
]  # fmt: skip


def _documented(platform: Checkout, command: str) -> str:
    """The document that `command` prints, which is as docs/json.md says."""
    done = platform.inv(*command.split(), "--json")
    name = command if command in documented() else command.split()[0]
    assert problems(name, done.stdout) == [], done.stdout[:2000]
    return done.stdout


@pytest.mark.parametrize("command", _LOOKING)
def test_what_is_printed_is_what_is_documented(platform: Checkout, command: str) -> None:
    _documented(platform, command)


def test_backups_and_databases_too(platform: Checkout) -> None:
    made = json.loads(_documented(platform, "backup"))["id"]
    for command in ("backup.list", f"backup.show {made}", f"backup.verify {made}"):
        assert made in _documented(platform, command)
    for command in (
        "backup.check",
        "backup.prune --dry-run",
        f"restore {made} --to-database json_restored",
        "db.copy json_restored json_copied --yes",
    ):
        _documented(platform, command)
    for name in ("json_restored", "json_copied"):
        _documented(platform, f"db.drop {name} --yes")
    known = (platform.root / ".state/known-names/backups.json").read_text()
    assert made in known, "completion offers it"


def test_an_error_is_one_document(platform: Checkout) -> None:
    done = platform.inv("db.drop", "no_such", "--yes", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"] == done.stderr.splitlines()[0].removeprefix("error: ")
