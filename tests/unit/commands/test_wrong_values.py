"""Values that cannot be meant: refused with exit code 2 before anything is asked or changed."""

import json
import os
from pathlib import Path

import pytest

from scripts.cli.program import Inv
from scripts.commands import session
from scripts.core.settings import Settings
from tasks import GROUPS, namespace
from tests.unit.support.fakes import FakeRunner, command_line, settings_in

_LOOKS = ("docker volume ls", "docker ps")  # whose platform it is
_UUID = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
_WRONG = [
    # contradictions
    ("up --prod --dev", "--prod and --dev exclude each other"),
    ("backup --schedule --unschedule", "--schedule and --unschedule exclude each other"),
    ("health --schedule --unschedule", "--schedule and --unschedule exclude each other"),
    ("setup-tls --schedule --unschedule", "--schedule and --unschedule exclude each other"),
    ("setup-tls --trust --untrust", "--trust and --untrust exclude each other"),
    ("backup --schedule --plain x.sql", "only --notify goes with --schedule"),
    ("health --schedule --only redis", "only --notify and --ping go with --schedule"),
    ("health --unschedule --watch 5", "only --notify and --ping go with --schedule"),
    ("restore --configuration --undo", "--configuration goes with a backup and no other option"),
    ("restore --configuration --neutralize", "--configuration goes with a backup"),
    ("restore --undo --from-database x", "--undo takes no backup"),
    ("restore --undo 20261127-02", "--undo takes no backup"),
    ("maintenance off --message x", "--message and --for go with: inv maintenance on"),
    ("doctor x.tar.gz", "FILE and --lines go with --bundle"),
    ("doctor --lines 5", "FILE and --lines go with --bundle"),
    # numbers
    ("doctor --bundle --lines 0", "--lines 0 is no number from 1 to 100000"),
    ("doctor --bundle --lines=-1", "--lines -1 is no number from 1 to 100000"),
    ("module.prune --keep=-1", "--keep -1 is less than none"),
    ("module.update sale --max-lock-wait 0", "--max-lock-wait takes 1 to 86400 seconds"),
    ("test --jobs 9", "--jobs has to be a number from 1 to 8"),
    ("health --watch=-1", "--watch: -1 is no number of seconds"),
    ("supabase.keys --days 0", "--days 0 is not between 1 and 3650"),
    # durations, versions, addresses
    ("maintenance on --for 90s", "--for '90s' is not a number of minutes, hours or days"),
    ("maintenance on --for 1h30m", "--for '1h30m' is not a number of minutes"),
    ("quickstart --odoo abc", "--odoo 'abc' is no version"),
    ("backup --notify https://", "--notify wants addresses"),
    ("backup --notify https://[::1", "--notify wants addresses"),
    ("backup --notify http://host:99999/x", "--notify wants addresses"),
    ("backup --notify ftp://host/x", "--notify: no service is known by ftp://***"),
    ("health --notify example.com/hook", "--notify wants addresses"),
    ("health --ping ntfy://host/x", "--ping wants an address"),
    ("health --schedule 7 --ping https://host/x", "--schedule: 7 minutes do not fit into an hour"),
    ("setup-tls letsencrypt --server https://ca:99999/x", "no https:// address of an ACME"),
    ("mail.test a@b@c", "'a@b@c' is no mail address"),
    # names out of a list
    ("maintenance ON", "inv maintenance takes on, off or status, not 'ON'"),
    ("health --only nonsense", "there is no check 'nonsense'"),
    ("module.list --state nonsense", "there is no state 'nonsense'"),
    ("secrets.rotate nonsense", "'nonsense' is no secret"),
    ("secrets.rotate ''", "'' is no secret"),
    ("secrets.rotate all,db_password", "'all' is no secret"),
    ("secrets.reset root", "'root' is none of: admin"),
    ("setup-tls Selfsigned", "'Selfsigned' is no kind of certificate"),
    ("supabase.migrate --target Cloud", "--target 'Cloud' is none of: local, cloud"),
    ("test --only nonsense", "there are no 'nonsense' tests"),
    # names of one's own
    ("module.install ../x", "../x: not the name of a module"),
    ("module.new my-module", "'my-module' is no name for a module"),
    ("module.test sale,crm", "'sale,crm': not the name of one module"),
    ("clone --to Copy", "'Copy' cannot be the name of a copy"),
    ("clone --to odoo", "'odoo' is in use"),
    ("db.copy odoo postgres", "'postgres' cannot be the name of a copy"),
    ("backup --database Odoo", "'Odoo' is not the name of a database"),
    # files
    ("backup --plain /nonexistent/x", "/nonexistent/x cannot be written: its folder must exist"),
    ("backup --plain /tmp", "/tmp is no file: what is there is not replaced"),
    ("backup --plain a --zip a", "--plain and --zip name the same file"),
    ("backup --plain ~no-such-user/x", "~no-such-user/x: there is no such user"),
    ("restore /nonexistent/x.zip", "there is no file /nonexistent/x.zip"),
    ("doctor --bundle /nonexistent/x", "/nonexistent/x cannot be written: its folder must exist"),
    ("doctor --bundle /tmp", "/tmp cannot be written: it is there already"),
    ("test --odoo-package /nonexistent", "--odoo-package: there is no /nonexistent"),
    ("test --pytest -k'", '--pytest "-k\'" has an open quote'),
]


@pytest.mark.parametrize(("words", "message"), _WRONG, ids=[row[0] for row in _WRONG])
def test_a_wrong_value_is_refused_before_anything_is_asked(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
    message: str,
) -> None:
    runner = FakeRunner()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "chdir", lambda _: None)
    monkeypatch.setattr(session, "raise_on_sigterm", lambda: None)
    monkeypatch.setattr(session, "SystemRunner", lambda **_: runner)
    if words != "up --prod --dev":
        monkeypatch.setattr(Settings, "load", lambda **_: settings_in(tmp_path))
    given = ["" if word == "''" else word for word in words.split()]
    takes_json = words.split()[0] not in ("up", "quickstart", "setup-tls", "test", "module.new")
    with pytest.raises(SystemExit) as caught:
        Inv(namespace, GROUPS).run(["inv", *given, *(["--json"] if takes_json else [])])
    shown = capsys.readouterr()
    assert caught.value.code == 2, shown.err
    first, *rest = shown.err.splitlines()
    assert first.startswith("error: ") and message in first
    assert any(line.startswith("hint: ") for line in rest)
    assert json.loads(shown.out)["error"] in first if takes_json else not shown.out
    assert [argv for argv in runner.calls if not command_line(argv).startswith(_LOOKS)] == []
