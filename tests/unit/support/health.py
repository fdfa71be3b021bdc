"""A platform whose containers answer with what is given, and its health report."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scripts import checkup
from scripts.core.checks import Result, Status, run_all
from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.core.http import Reply
from scripts.core.settings import ROOT
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeRunner, says, settings_in

NAMES = ("Nginx", "Odoo (proxy)", "Odoo (container)", "PostgreSQL", "Redis")
CHOSEN = {*NAMES, "Mail catcher", "Volumes", "PDF reports"}
LOGIN = Reply(200, '<form class="oe_login_form">')
ROOM = "0 4096 25000000 20000000 6000000 5000000"  # of 95 GiB, 76 are free
EXEC = "docker exec"
NGINX, ODOO = f"{EXEC} nginx", f"{EXEC} --user odoo odoo"
POSTGRESQL, REDIS = f"{EXEC} odoo_db", f"{EXEC} redis"
SERVICES = ("nginx", "odoo", "odoo_db", "redis", "mail_catcher")
SERVER = f"room {ROOM}\nserver answers\n"
DOWN = says(code=1, stderr='service "x" is not running\n')


def odoo_says(**more: str | None) -> Completed:
    well = {
        "reports": "",
        "room": ROOM,
        "web": "",
        "filestore": "",
        "passwords": "",
        "session": "found",
    }
    return says(json.dumps({**well, **more}))


def redis_says(used: int = 1, most: int = 100) -> Completed:
    return says(f"room {ROOM}\nOK\nused_memory:{used}\nmaxmemory:{most}\n")


def containers_are(*, port: int = 80, **states: str) -> Completed:
    """All run, but for those whose state is given."""
    ports = [{"PublishedPort": port, "TargetPort": port}]
    rows = (
        {"Service": s, "Name": s, "State": states.get(s, "running"), "Publishers": ports}
        for s in SERVICES
    )
    return says("\n".join(map(json.dumps, rows)))


WELL: dict[str, Completed | OpsError] = {
    "docker ps": containers_are(),
    NGINX: says(f"room {ROOM}\n"),
    ODOO: odoo_says(),
    POSTGRESQL: says(SERVER),
    REDIS: redis_says(),
}

Site = Callable[[Mapping[str, Reply]], None]


def report(folder: Path, **changes: Any) -> dict[str, Result]:
    """The rows of a platform that is well but for `answers`."""
    answers = changes.pop("answers", {})
    (folder / "postgres").mkdir(exist_ok=True)
    shutil.copy(ROOT / "postgres" / "health", folder / "postgres")
    runner = FakeRunner({**WELL, **answers})
    stack = Stack(settings_in(folder, **changes), runner)
    return {row.name: row for row in run_all(checkup.checks(stack, 4)) if row.name in CHOSEN}


def bad(rows: Mapping[str, Result]) -> dict[str, str]:
    return {name: row.detail for name, row in rows.items() if row.status is not Status.OK}
