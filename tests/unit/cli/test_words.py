"""Command lines, good ones and wrong ones."""

from typing import Any

import pytest

from scripts.cli.words import parse
from scripts.core.errors import UsageError
from tests.static.support.cli import commands


def _calls(text: str) -> list[tuple[str, dict[str, Any]]]:
    return [(call.name, call.values) for call in parse(text.split(), commands()).calls]


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("up", [("up", {})]),
        ("up --prod", [("up", {"prod": True})]),
        ("logs odoo -f", [("logs", {"service": "odoo", "follow": True})]),
        ("logs -f odoo", [("logs", {"service": "odoo", "follow": True})]),
        ("logs -s odoo -n 5", [("logs", {"service": "odoo", "tail": 5})]),
        ("logs -n5 -f", [("logs", {"tail": 5, "follow": True})]),
        ("logs -fn5", [("logs", {"tail": 5, "follow": True})]),
        ("logs -fn 5", [("logs", {"tail": 5, "follow": True})]),
        ("logs --tail=-1", [("logs", {"tail": -1})]),
        ("logs --service=", [("logs", {"service": ""})]),
        ("logs --tail -5", [("logs", {"tail": -5})]),
        ("shell odoo_db", [("shell", {"service": "odoo_db"})]),
        ("restart nginx", [("restart", {"service": "nginx"})]),
        ("down --volumes -y", [("down", {"volumes": True, "yes": True})]),
        (
            "module.install sale,crm -d x",
            [("module.install", {"modules": "sale,crm", "database": "x"})],
        ),
        ("clone --from odoo --to x", [("clone", {"database": "odoo", "to": "x"})]),
        ("clone -d odoo", [("clone", {"database": "odoo"})]),
        ("backup.create", [("backup.create", {})]),
        ("backup --prune", [("backup", {"prune": True})]),
        ("setup-tls selfsigned --domain a", [("setup-tls", {"mode": "selfsigned", "domain": "a"})]),
        ("setup-tls --domain a selfsigned", [("setup-tls", {"mode": "selfsigned", "domain": "a"})]),
        ("setup-tls --schedule", [("setup-tls", {"schedule": True})]),
        # The next word is the value, whatever it is: a backup may be called like a command.
        ("restore backup", [("restore", {"source": "backup"})]),
        ("restore latest backup", [("restore", {"source": "latest"}), ("backup", {})]),
        ("up health", [("up", {}), ("health", {})]),
        ("up --json=", None),
    ],
)
def test_a_command_line_is_understood(text: str, calls: list[Any] | None) -> None:
    if calls is None:
        with pytest.raises(UsageError):
            _calls(text)
    else:
        assert _calls(text) == calls


@pytest.mark.parametrize(
    ("text", "general", "topic"),
    [
        ("", set(), ""),
        ("help", {"help"}, ""),
        ("help logs", {"help"}, "logs"),
        ("help help", {"help"}, ""),
        ("help --help", {"help"}, ""),
        ("help -h logs", {"help"}, "logs"),
        ("help --version", {"help", "version"}, ""),
        ("--echo help logs", {"echo", "help"}, ""),
        ("help module install", {"help"}, "module.install"),
        ("--help", {"help"}, ""),
        ("--help module", {"help"}, "module"),
        ("module.install --help", {"help"}, ""),
        ("module.install -h", {"help"}, ""),
        ("--version", {"version"}, ""),
        ("-V", {"version"}, ""),
        ("--dry up", {"dry"}, ""),
        ("up --dry", {"dry"}, ""),
        ("-eR up", {"dry", "echo"}, ""),
    ],
)
def test_the_options_of_every_command_are_known_everywhere(
    text: str, general: set[str], topic: str
) -> None:
    line = parse(text.split(), commands())
    assert (line.general, line.topic) == (general, topic)


_WRONG = [
    # unknown commands
    ("bakcup", "'bakcup' is not a command", "Did you mean: inv backup"),
    ("Backup", "'Backup' is not a command", "Did you mean: inv backup"),
    ("heath", "'heath' is not a command", "Did you mean: inv health"),
    ("log", "'log' is not a command", "Did you mean: inv logs"),
    ("restor latest", "'restor' is not a command", "Did you mean: inv restore"),
    ("quick-start", "'quick-start' is not a command", "Did you mean: inv quickstart"),
    ("setup_tls", "'setup_tls' is not a command", "Did you mean: inv setup-tls"),
    ("setup-ssl", "'setup-ssl' is not a command", "Did you mean: inv setup-tls"),
    ("renew_tls", "'renew_tls' is not a command", "Did you mean: inv renew-tls"),
    ("odoo_shell", "'odoo_shell' is not a command", "Did you mean: inv odoo-shell"),
    ("odooshell", "'odooshell' is not a command", "Did you mean: inv odoo-shell"),
    ("module.instal sale", "'module.instal' is not a command", "inv module.install"),
    ("modules.list", "'modules.list' is not a command", "inv module.list"),
    ("backup.lst", "'backup.lst' is not a command", "inv backup.list"),
    ("session", "'session' is not a command", "Did you mean: inv sessions"),
    ("secret", "'secret' is not a command", "Did you mean: inv secrets"),
    ("start", "'start' is not a command", "Did you mean: inv up"),
    ("stop", "'stop' is not a command", "Did you mean: inv down"),
    ("install sale", "'install' is not a command", "Did you mean: inv module.install"),
    ("update", "'update' is not a command", "Did you mean: inv module.update"),
    ("list", "'list' is not a command", "help"),
    ("xyzzy", "'xyzzy' is not a command", "inv help lists the commands."),
    ("-", "'-' is not a command", "inv help lists the commands."),
    ("", None, ""),
    # two words for one
    ("module install sale", "'module' is not a command", "Did you mean: inv module.install"),
    ("module list", "'module' is not a command", "Did you mean: inv module.list"),
    ("backup list", "takes no further value, and 'list' is not a command", "inv backup.list"),
    ("files check", "'files' is not a command", "Did you mean: inv files.check"),
    ("supabase status", "'supabase' is not a command", "Did you mean: inv supabase.status"),
    ("module", "'module' is not a command, but a group", "inv help module"),
    ("supabase", "'supabase' is not a command, but a group", "inv help supabase"),
    ("files", "'files' is not a command, but a group", "inv help files"),
    # values too many
    ("up now", "inv up takes no further value, and 'now' is not a command", "inv help up"),
    ("logs odoo nginx", "takes no further value", "inv help logs"),
    ("setup-tls selfsigned owned", "takes no further value", "inv help setup-tls"),
    ("health odoo", "takes no further value", "inv help health"),
    ("module.install sale crm", "takes no further value", "inv help module.install"),
    # values that are missing
    ("module.install", "inv module.install: MODULES is missing", "inv help module.install"),
    ("module.uninstall --yes", "MODULES is missing", "inv help module.uninstall"),
    ("module.info", "is missing", "inv help module.info"),
    ("module.test", "is missing", "inv help module.test"),
    ("module.new", "is missing", "inv help module.new"),
    ("jobs.show", "is missing", "inv help jobs.show"),
    ("jobs.retry", "is missing", "inv help jobs.retry"),
    ("sessions.revoke", "USER is missing", "inv help sessions.revoke"),
    ("logs --tail", "--tail needs a value", "inv help logs"),
    ("logs -n", "-n needs a value", "inv help logs"),
    ("logs -f -n", "-n needs a value", "inv help logs"),
    ("logs --service", "--service needs a value", "inv help logs"),
    ("logs --service --follow", "--service needs a value", "--service=VALUE"),
    ("logs -s -f", "-s needs a value", "-s=VALUE"),
    ("psql --command", "--command needs a value", "inv help psql"),
    ("psql -d", "-d needs a value", "inv help psql"),
    ("backup --plain", "--plain needs a value", "inv help backup"),
    ("backup --plain --json", "--plain needs a value", "--plain=VALUE"),
    ("restore --to-database", "--to-database needs a value", "inv help restore"),
    ("clone --to --yes", "--to needs a value", "--to=VALUE"),
    ("clone --from", "--from needs a value", "inv help clone"),
    ("setup-tls --domain", "--domain needs a value", "inv help setup-tls"),
    # values of another kind
    ("logs --tail ten", "--tail: 'ten' is not a whole number", "inv help logs"),
    ("logs -n 1.5", "--tail: '1.5' is not a whole number", "inv help logs"),
    ("logs --tail=", "--tail: '' is not a whole number", "inv help logs"),
    ("module.prune --keep all", "--keep: 'all' is not a whole number", "inv help module.prune"),
    ("module.install sale --max-lock-wait 1m", "'1m' is not a whole number", "inv help module"),
    ("jobs --limit many", "--limit: 'many' is not a whole number", "inv help jobs"),
    ("test --jobs two", "--jobs: 'two' is not a whole number", "inv help test"),
    ("supabase.keys --days x", "--days: 'x' is not a whole number", "inv help supabase.keys"),
    ("health --watch=soon", "--watch: 'soon' is not a whole number", "inv help health"),
    # unknown options
    ("up --production", "inv up: --production is not an option", "Did you mean: --prod"),
    ("quickstart --production", "--production is not an option", "Did you mean: --prod"),
    ("up --development", "--development is not an option", "Did you mean: --dev"),
    ("up --dry-run", "--dry-run is not an option", "Did you mean: --dry"),
    ("--dry-run up", "--dry-run is not an option", "Did you mean: --dry"),
    ("up --verbose", "--verbose is not an option", "Did you mean: --echo"),
    ("logs --folow", "--folow is not an option", "Did you mean: --follow"),
    ("logs --lines 5", "--lines is not an option", "Did you mean: --tail"),
    ("psql --db x", "--db is not an option", "Did you mean: --database"),
    ("down --volume", "--volume is not an option", "Did you mean: --volumes"),
    ("down -v", "-v is not an option", "inv help down"),
    ("up -d", "-d is not an option", "inv help up"),
    ("health --jsn", "--jsn is not an option", "Did you mean: --json"),
    ("restore --neutralise", "--neutralise is not an option", "Did you mean: --neutralize"),
    ("backup --xyz", "inv backup: --xyz is not an option", "inv help backup"),
    ("--xyz", "--xyz is not an option", "inv help lists the commands."),
    ("--prod up", "--prod is not an option", "Did you mean: inv up --prod"),
    ("--json -e ps", "--json is not an option", "Did you mean: inv ps --json"),
    ("--json nosuch", "--json is not an option", "inv help lists the commands."),
    ("-- up", "-- is not an option", "inv help lists the commands."),
    ("help -- up", "-- is not an option", "inv help lists the commands."),
    ("help --json", "--json is not an option", "inv help lists the commands."),
    ("help -j up", "-j is not an option", "inv help lists the commands."),
    ("ps -j", "inv ps: -j is not an option", "inv help ps"),
    ("ps --no-json", "--no-json is not an option", "Did you mean: --json"),
    ("-=", "- is not an option", "inv help lists the commands."),
    ("=", "'=' is not a command", "inv help lists the commands."),
    (".ps", "'.ps' is not a command", "Did you mean: inv ps"),
    ("up --", "-- is not an option", "inv help up"),
    # values where none belong, or twice
    ("up --prod=yes", "inv up: --prod takes no value", "inv help up"),
    ("health --json=1", "--json takes no value", "inv help health"),
    ("--echo=1 ps", "--echo takes no value", "inv help lists the commands."),
    ("--dry=no up", "--dry takes no value", "inv help lists the commands."),
    ("ps -h=1", "inv ps: -h takes no value", "inv help ps"),
    ("logs odoo --service nginx", "--service is given twice", "inv help logs"),
    ("logs --service odoo --service nginx", "--service is given twice", "inv help logs"),
    ("setup-tls --domain a --domain b", "--domain is given twice", "inv help setup-tls"),
    ("clone --from a --database b", "--database is given twice", "inv help clone"),
    # commands after one that does not come back
    ("logs odoo ps", "nothing can follow inv logs", "Call it by itself, and then: inv ps"),
    ("psql -d x backup", "nothing can follow inv psql", "and then: inv backup"),
    ("odoo-shell status", "nothing can follow inv odoo-shell", "and then: inv status"),
    ("shell odoo shell odoo_db", "nothing can follow inv shell", "and then: inv shell"),
]


@pytest.mark.parametrize(("text", "message", "hint"), _WRONG, ids=[row[0] for row in _WRONG])
def test_a_wrong_command_line_is_explained(text: str, message: str | None, hint: str) -> None:
    if message is None:
        assert not parse(text.split(), commands()).calls
        return
    with pytest.raises(UsageError) as caught:
        parse(text.split(), commands())
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.exit_code == 2
