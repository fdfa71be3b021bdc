"""What a command line is completed to. The shells themselves: tests/e2e/host/test_completion.py."""

import json
from pathlib import Path
from zipfile import ZipFile

import pytest

from scripts.cli import values
from scripts.cli.completion import candidates, script
from scripts.core import known_names
from scripts.core.errors import UsageError
from scripts.modules import listing
from scripts.supabase.database import Target
from scripts.supabase.jobs import STATUSES
from scripts.testing import KINDS
from tests.static.support.cli import commands, shown
from tests.unit.support.fakes import settings_in

# Options whose value nobody can know, or that may be anything.
_FREE = {
    "address",
    "node",
    "archive",
    "command", "domain", "email", "from_database", "keep", "key", "name", "notify", "payload",
    "image", "ping",
    "pytest", "replicas", "server", "source", "to", "user", "at", "id", "message", "moment", "for_",
}  # fmt: skip


def _words(*words: str) -> list[str]:
    return [line.partition("\t")[0] for line in candidates(words, commands())]


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of an installation, whose values are offered."""
    monkeypatch.setattr("scripts.cli.values.of", _of(tmp_path))
    monkeypatch.delenv("ODOO_DATABASE", raising=False)
    return tmp_path


def _of(root: Path) -> object:
    original = values.of
    return lambda command, attribute: original(command, attribute, root)


def test_commands_are_offered_by_their_shortest_name_with_what_they_do() -> None:
    assert _words("back") == [name for name in sorted(shown()) if name.startswith("back")]
    assert "backup.create" not in _words("")
    assert candidates(["module.new"], commands()) == [
        "module.new\tBegin a module of your own in odoo/addons, with a model, views, rights "
        "and a test."
    ]
    assert _words("nosuch") == []


def test_options_are_those_of_the_command_that_are_not_given_yet() -> None:
    assert _words("module.update", "--no") == ["--no-snapshot"]
    assert _words("module.update", "--no-snapshot", "--no") == []
    assert _words("--d") == ["--dry"]
    assert _words("--dry", "ba") == _words("ba")
    assert "--follow" in _words("logs", "-") and "--help" in _words("logs", "-")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["setup-tls", "s"], ["selfsigned"]),
        (["setup-tls", "--domain", "a", ""], ["selfsigned", "letsencrypt"]),
        (["jobs", "--status", "d"], ["dead"]),
        (["jobs.list", "--status", "d"], ["dead"]),
        (["jobs", "--status=d"], ["--status=dead"]),
        (["jobs", "--status", "="], list(STATUSES)),  # as bash splits it
        (["jobs", "--status", "=", "d"], ["dead"]),
        (["supabase.migrate", "--target", ""], [target.value for target in Target]),
        (["jobs.enqueue", "--type", "h"], ["http"]),
        (["test", "--only", ""], list(KINDS)),
        (["quickstart", "--odoo", ""], ["18", "19"]),
        (["secrets.reset", ""], ["admin"]),
        (["maintenance", "o"], ["on", "off"]),
        (["jobs.show", ""], []),
        (["backup", "--plain", ""], [values.FILES]),
        (["backup", "--plain", "some"], [values.FILES]),
        (["logs", "odoo", "heal"], ["health"]),
        (["help", "module", "inst"], ["install"]),
        (["help", "fil"], ["files.check", "files"]),
    ],
)
def test_a_value_is_offered_where_it_belongs(words: list[str], found: list[str]) -> None:
    assert _words(*words) == found


def test_states_of_modules_are_those_that_the_list_knows() -> None:
    assert _words("module.list", "--state", "") == list(listing._STATES)


def test_services_and_secrets_are_those_of_the_files() -> None:
    services = _words("logs", "")
    assert {"odoo", "odoo_db", "nginx", "redis", "postgrest", "certbot"} <= set(services)
    assert not {"networks", "edge", "odoo_data", "deploy", "logging"} & set(services)
    assert _words("secrets.rotate", "db") == ["db_password"]
    assert "db_password,backup_key" in _words("secrets.rotate", "db_password,")
    assert "db_password,db_password" not in _words("secrets.rotate", "db_password,")


def test_modules_are_found_wherever_odoo_would_find_them(installation: Path) -> None:
    for name in ("odoo/addons/ours", "odoo/addons/repository/theirs", "bought/studio"):
        (installation / name).mkdir(parents=True)
        (installation / name / "__manifest__.py").write_text("{}")
    (installation / "odoo/addons/no_module").mkdir()
    (installation / ".env").write_text("ODOO_ENTERPRISE=bought\n")
    (installation / "odoo/wheels").mkdir()
    with ZipFile(installation / "odoo/wheels/odoo_addon_x-18.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("odoo/addons/from_wheel/__manifest__.py", "{}")
    (installation / "odoo/wheels/broken.whl").write_bytes(b"PK\x03\x04 half")
    known_names.remember(settings_in(installation), known_names.MODULES, ["sale", "crm"])
    every = ["crm", "from_wheel", "ours", "sale", "studio", "theirs"]
    assert _words("module.install", "") == every
    assert _words("module.install", "sale,c") == ["sale,crm"]
    assert _words("module.test", "sale,") == []


def test_backups_are_those_that_were_seen_last(installation: Path) -> None:
    settings = settings_in(installation)
    assert _words("backup.verify", "") == ["latest"]
    known_names.remember(settings, known_names.BACKUPS, ["20261127-01", "20261126-01"])
    known_names.add(settings, known_names.BACKUPS, "20261128-01")
    assert _words("backup.show", "2") == ["20261128-01", "20261127-01", "20261126-01"]
    assert _words("restore", "20261128") == ["20261128-01", values.FILES]


def test_databases_are_the_own_one_and_those_of_backups(installation: Path) -> None:
    assert _words("psql", "--database", "") == ["odoo"]
    known_names.remember(settings_in(installation), known_names.DATABASES, ["staging"])
    (installation / ".env").write_text("ODOO_DATABASE=shop\n")
    assert _words("psql", "--database", "") == ["shop", "staging"]


@pytest.mark.parametrize("content", [b"", b"[1, {}]", b"{}", b"\xff\xfe", b"[" * 10])
def test_a_broken_file_of_names_offers_nothing(installation: Path, content: bytes) -> None:
    folder = installation / ".state" / "known-names"
    folder.mkdir(parents=True)
    (folder / "backups.json").write_bytes(content)
    assert _words("backup.show", "") == ["latest"]
    known_names.add(settings_in(installation), known_names.BACKUPS, "a")
    assert json.loads((folder / "backups.json").read_text()) == ["a"]


def test_names_that_cannot_be_written_fail_nothing(installation: Path) -> None:
    (installation / ".state").write_text("no folder")
    known_names.remember(settings_in(installation), known_names.BACKUPS, ["a"])
    assert known_names.recall(installation / ".state", known_names.BACKUPS) == []


def test_a_broken_env_file_is_silent(installation: Path) -> None:
    (installation / ".env").write_bytes(b"\xff\xfeO\x00D\x00")
    assert _words("psql", "-d", "") == ["odoo"]
    assert _words("module.install", "") == []


def test_every_value_is_offered_or_known_to_be_free() -> None:
    unknown = [
        f"{name} --{option.name}"
        for name, made in shown().items()
        for option in made.options
        if option.kind is str
        and not {option.attribute, f"{name} {option.attribute}"} & values._KNOWN.keys()
        and option.attribute not in _FREE
    ]
    assert unknown == [], "say in scripts/cli/values.py what they can be, or here that it is free"
    attributes = {option.attribute for made in shown().values() for option in made.options}
    assert {key.split()[-1] for key in values._KNOWN} | _FREE <= attributes


@pytest.mark.parametrize("given", [[], ["csh"], ["bash", "zsh"]])
def test_a_script_is_for_one_of_three_shells(given: list[str]) -> None:
    with pytest.raises(UsageError, match="which shell"):
        script(given)
