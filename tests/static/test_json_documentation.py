"""docs/json.md: every command with --json, and every field of what it prints."""

import json

import pytest

from scripts import credentials, mail, sessions, upgrade
from scripts.backups import attachments, databases, restored, retention, verified
from scripts.core import configuration
from scripts.deploy import record
from scripts.disaster import certificate
from scripts.doctor import report as doctor
from scripts.health import notify, report
from scripts.modules import change, listing
from scripts.rotation import rotated
from scripts.supabase import service as supabase
from scripts.swarm import deploy as swarm_deploy
from scripts.swarm import drain, rollback
from scripts.swarm import restore as swarm_restore
from scripts.swarm import status as swarm_status
from tests.static.support.cli import shown
from tests.support.json_documentation import documented, of_dataclass, problems
from toolbox.contract.archive import ArchiveStatus
from toolbox.contract.backups import CreatedBackup, ShownBackup
from toolbox.contract.changes import Module, ModuleTestResult, Snapshot
from toolbox.contract.databases import Database, Dropped

# The records that commands print as they are, with fields that are added or left out there.
_RECORDS = {
    "health": report.Document,
    "health --notify=URL": notify.Notice,
    "doctor": doctor.Report,
    "files.check": attachments.Report,
    "config --check": configuration.Report,
    "upgrade --check": upgrade.UpgradePlan,
    "deploy": record.Deployment,
    "deploy.rollback": record.Deployment,
    "deploy.list": record.Deployment,
    "secrets.rotate": rotated.Rotated,
    "secrets.reset": rotated.Rotated,
    "backup.list": retention.Backup,
    "backup.prune": retention.Backup,
    "backup": CreatedBackup,
    "backup.show": ShownBackup,
    "backup.archive": ArchiveStatus,
    "backup.verify": verified.VerificationRecord,
    "disaster.drill": certificate.Certificate,
    "restore": restored.Restored,
    "clone": restored.Restored,
    "at": restored.Restored,
    "db.list": Database,
    "db.drop": Dropped,
    "db.copy": databases.Copied,
    "module.list": Module,
    "module.info": listing.ModuleDetails,
    "module.install": change.Outcome,
    "module.update": change.Outcome,
    "module.uninstall": change.Outcome,
    "module.rehearse": change.Outcome,
    "module.snapshots": Snapshot,
    "module.prune": Snapshot,
    "module.rollback": change.RolledBack,
    "module.test": ModuleTestResult,
    "sessions": sessions.Overview,
    "mail.test": mail.Sent,
    "swarm.status": swarm_status.SwarmStatus,
    "swarm.deploy": swarm_deploy.Deployed,
    "swarm.drain": drain.Drained,
    "swarm.rollback": rollback.RolledBack,
    "swarm.backup": CreatedBackup,
    "swarm.backups": retention.Backup,
    "swarm.restore": swarm_restore.Restored,
}
_CHANGES = ("module.install", "module.update", "module.uninstall", "module.rehearse")
_ADDED = {"sessions": {"sessions"}, **{command: {"plan.empty"} for command in _CHANGES}}
_LEFT_OUT = {"backup": {"handle"}, "swarm.backup": {"handle"}}
_AS_TEXT = {"time": "string"}  # what JSON has no form of
_TABLES = {
    "secrets": credentials.table([]),
    "supabase.status": supabase.table([]),
}


def test_every_command_with_json_is_documented_and_no_other() -> None:
    with_json = {
        name for name, made in shown().items() if any(o.name == "json" for o in made.options)
    }
    assert {command.partition(" ")[0] for command in documented()} == with_json
    for command in documented():
        name, _, given = command.partition(" ")
        option = given.partition("=")[0]
        assert not option or option in {f"--{o.name}" for o in shown()[name].options}, command


@pytest.mark.parametrize("command", sorted(_RECORDS))
def test_the_fields_of_a_record_are_documented_with_their_types(command: str) -> None:
    expected = {**of_dataclass(_RECORDS[command])}
    expected = {path: _AS_TEXT.get(path, kind) for path, kind in expected.items()}
    for path in _LEFT_OUT.get(command, set()):
        del expected[path]
    found = dict(documented()[command].fields)
    for path in _ADDED.get(command, set()):
        del found[path]
    assert found == expected


@pytest.mark.parametrize("command", sorted(_TABLES))
def test_the_columns_of_a_table_are_documented(command: str) -> None:
    assert list(documented()[command].fields) == list(_TABLES[command].header)


def test_a_difference_is_found_wherever_it_is() -> None:
    good: dict[str, object] = {"database": "odoo", "attachments": 1, "lost": [], "unused": []}
    lost: dict[str, object] = {"file": "a", "reason": "b", "records": ["c"]}
    wrong: list[tuple[dict[str, object], str]] = [
        ({"database": None}, "database is None, not string"),
        ({"attachments": True}, "attachments is True, not integer"),
        ({"more": 1}, "more is not documented"),
        ({"lost": [{**lost, "extra": 1}]}, "lost[].extra is not documented"),
        ({"lost": [{**lost, "records": [1]}]}, "lost[].records is [1], not list of strings"),
        ({"lost": [{"file": "a", "reason": "b"}]}, "lost[].records is not printed"),
    ]
    assert problems("files.check", json.dumps({**good, "lost": [lost]})) == []
    for change_, problem in wrong:
        assert problems("files.check", json.dumps({**good, **change_})) == [problem]
    assert problems("files.check", "[]") and problems("ps", "{}")
