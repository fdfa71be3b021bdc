"""What `inv health` asks the running platform. Each line tells of its own service."""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from scripts.core.checks import Check, Finding, Status, worst
from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.core.http import Reply, get
from scripts.core.settings import Settings
from scripts.health import volumes
from scripts.health.answers import Answer, Answers, as_json
from scripts.health.volumes import Room
from scripts.stack import ingress, maintenance_window
from scripts.stack.compose import Stack

_OK: Final = Finding(Status.OK)
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_MOST_REDIRECTS: Final = 3
_KEPT_OUT: Final = 503
_CROWDED: Final = 0.8  # of maxmemory: session_redis/store.py gives visitors no session from there
_WRONG_PASSWORD: Final = Finding(
    Status.FAILED,
    "its role odoo has another password than secrets/db_password.txt",
    "put the right one back there, or give the role that one:"
    " docker compose exec odoo_db psql -U odoo -c '\\password odoo'",
)
_OTHER_MAINTENANCE: Final = Finding(
    Status.FAILED,
    "it goes by another state of maintenance than nginx/maintenance/current.conf",
    "docker compose exec nginx nginx -s reload, then: inv maintenance",
)


def checks(stack: Stack, certificate: Callable[[], Finding] = lambda: _OK) -> list[Check]:
    """The lines of the health report, from the outside inwards, and that of the volumes.

    `certificate` is asked in production: whether browsers accept the one in use, and how long.
    """
    answers = Answers.of(stack)
    return [
        Check("Nginx", lambda: _nginx(stack, certificate)),
        Check("Odoo (proxy)", lambda: _odoo_by_proxy(stack.settings)),
        Check("Odoo (container)", lambda: _odoo_in_container(answers.odoo())),
        Check("PostgreSQL", lambda: _postgresql(answers.odoo_db(), stack.settings.database)),
        Check("Redis", lambda: _redis(answers.redis(), answers.odoo)),
        *([] if stack.settings.tls else [Check("Mail", lambda: _mail(stack.settings))]),
        Check("Volumes", lambda: _volumes(answers)),
    ]


def running(stack: Stack) -> Stack:
    """The variant that runs, or `stack` itself where that cannot be known."""
    try:
        return stack.as_running()
    except OpsError:  # every probe will say so
        return stack


def _failed(detail: str, service: str) -> Finding:
    return Finding(Status.FAILED, detail, f"inv logs --service {service}")


def _nginx(stack: Stack, certificate: Callable[[], Finding]) -> Finding:
    reply = ingress.get(stack.settings, "/nginx-health")
    if reply.status != 200:
        return _failed(f"status {reply.status}", "nginx")
    window = maintenance_window.active(stack.settings)
    if ingress.told_maintenance(reply) != (window.report if window else ""):
        return _OTHER_MAINTENANCE
    return certificate() if stack.settings.tls else _OK


def _odoo_by_proxy(settings: Settings) -> Finding:
    # The login page needs Odoo, its registry and the database; /web/health does not.
    reply = _login_page(settings)
    if _is_selector(reply):
        lost = f"Odoo does not find the database {settings.database}"
        return _failed(f"{lost}: it sends visitors to {reply.location}", "odoo")
    if reply.status == _KEPT_OUT and (window := maintenance_window.active(settings)):
        detail = f"visitors are kept out for maintenance {window.period}"
        return Finding(Status.WARNING, detail, "inv maintenance off")
    if reply.status in _REDIRECTS:
        return _OK  # to a login page on another site
    if reply.status != 200:
        return _failed(f"status {reply.status}", "odoo")
    form = re.search(r"oe_login_form|csrf_token", reply.text)
    return _OK if form else _failed("/web/login shows no login form", "odoo")


def _is_selector(reply: Reply) -> bool:
    """Whether it leads to the page on which a database is chosen."""
    return reply.status in _REDIRECTS and urlsplit(reply.location).path.startswith("/web/database")


def _login_page(settings: Settings) -> Reply:
    """The login page, after redirects within this site, as those to a language."""
    path = "/web/login"
    here = {None, "localhost", "127.0.0.1", settings.bind, *settings.domains}
    for _ in range(1 + _MOST_REDIRECTS):
        reply = ingress.get(settings, path, timeout=15)
        target = urlsplit(reply.location)
        if reply.status not in _REDIRECTS or _is_selector(reply) or target.hostname not in here:
            return reply
        query = f"?{target.query}" if target.query else ""
        path = f"/{target.path.lstrip('/')}{query}"
    raise OpsError(f"/web/login leads on and on, to {path}", "inv logs --service odoo")


def _odoo_in_container(done: Completed) -> Finding:
    said = as_json(done)
    if not said:
        return _failed(done.last_line, "odoo")
    foreign = said["filestore"].startswith("Odoo may not")
    hints = {
        "web": "inv logs --service odoo",
        "filestore": "inv restart --service odoo gives Odoo what is its own" if foreign else "",
        "passwords": "inv restart, which reads secrets/db_password.txt again",
    }
    found = [Finding(Status.FAILED, said[name], hints[name]) for name in hints if said[name]]
    if said.get("reports"):
        hint = "inv images, or an ODOO_BASE_IMAGE that has it"
        found.append(Finding(Status.WARNING, said["reports"], hint))
    return worst(found)


def _postgresql(done: Completed, database: str) -> Finding:
    said = done.stdout.splitlines()
    if "server answers" not in said:
        return _failed(done.last_line, "odoo_db")
    refused = [line.removeprefix("refused ") for line in said if line.startswith("refused ")]
    if refused:
        wrong = "password authentication failed" in refused[0]
        return _WRONG_PASSWORD if wrong else _failed(refused[0], "odoo_db")
    damaged = [line.split(" ", 2) for line in said if line.startswith("damaged ")]
    return worst([_damage(count, name, database) for _, count, name in damaged])


def _damage(count: str, name: str, database: str) -> Finding:
    """That pages of the database `name` ('': of what all share) did not fit their checksums."""
    where = f"the database {name}" if name else "what all databases share"
    detail = f"damaged pages were met {count} times in {where}"
    if name not in ("", database):
        return Finding(Status.WARNING, detail, "look at the disk")
    return Finding(Status.FAILED, detail, "look at the disk; then: inv restore latest")


def _redis(done: Completed, odoo: Answer) -> Finding:
    said = done.stdout.splitlines()
    if not done.ok or "OK" not in said:
        answer = [line for line in said if not line.startswith("room ")]
        return _failed(done.last_line if done.stderr.strip() else " ".join(answer), "redis")
    pairs = (line.partition(":") for line in said)
    numbers = {name: int(value) for name, _, value in pairs if value}
    most = numbers.get("maxmemory", 0)
    if most and numbers.get("used_memory", 0) > _CROWDED * most:
        crowded = "its memory is nearly full: visitors get no session"
        return Finding(Status.WARNING, crowded, "raise REDIS_MAXMEMORY in .env")
    try:
        session = as_json(odoo()).get("session")
    except OpsError:  # a line of its own tells
        session = None
    lost = session in ("none", "lost")
    return _failed("a session that Odoo began is not found in it", "odoo") if lost else _OK


def _mail(settings: Settings) -> Finding:
    """Of the catcher. Without it Odoo works, and sends nothing."""
    try:
        status = get(settings.mail.page).status
    except OpsError as error:
        return Finding(Status.WARNING, error.message, "inv logs --service mail_catcher")
    wrong = Finding(Status.WARNING, f"status {status}", "inv logs --service mail_catcher")
    return _OK if status == 200 else wrong


def _volumes(answers: Answers) -> Finding:
    rooms = answers.rooms()
    settings = answers.stack.settings
    if settings.backup_folder.is_dir() and not settings.backups_elsewhere:
        rooms[f"backups in {settings.backup_folder}"] = Room.of_folder(settings.backup_folder)
    return volumes.finding(rooms)
