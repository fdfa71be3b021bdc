"""Every command says whether it changes the platform: only then another folder's is safe."""

import ast
from collections.abc import Iterator

from tests.static.support.project import ROOT

# They neither show nor change the platform, or ask whose it is by themselves.
_PLAIN = {
    "quickstart",
    "secrets_make",
    "adopt",
    "images_task",
    "health",
    "config",
    "doctor",
    "deploy_list",
    "status",
    "open_task",
    "backup_key",
    "module_new",
    "supabase_keys",
    "test",
    "lock",
    "jobs_list",
    "jobs_enqueue",
    "jobs_show",
    "jobs_retry",
    "jobs_dead",
}
_LOOKING = {
    "ps",
    "logs",
    "shell",
    "psql",
    "odoo_shell",
    "sessions_list",
    "swarm_status",
    "supabase_status",
    "supabase_psql",
    "maintenance",  # only `status`: on and off ask
}


def _openings() -> Iterator[tuple[str, set[str]]]:
    """The commands, and by what they open their session."""
    for path in sorted((ROOT / "scripts" / "commands").glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.decorator_list:
                called = {ast.unparse(n.func) for n in ast.walk(node) if isinstance(n, ast.Call)}
                yield node.name, {name for name in called if name.startswith("open_")}


def test_a_command_that_changes_the_platform_asks_first_whose_it_is() -> None:
    found = dict(_openings())
    assert len(found) > 40
    assert {name for name, used in found.items() if "open_to_look" in used} == _LOOKING
    plain = {name for name, used in found.items() if "open_session" in used}
    assert plain == _PLAIN, "use open_to_change, or say here why it need not"
    assert {"up", "down", "restart", "restore_task", "module_install", "setup_tls"} <= {
        name for name, used in found.items() if used == {"open_to_change"}
    }
