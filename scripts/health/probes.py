"""What `inv health` asks the running platform. Each line tells of its own service."""

from collections.abc import Callable, Mapping
from typing import Final

from scripts.core.checks import CannotTellError, Check, Finding, Status, worst
from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.core.redis_settings import PASSWORD
from scripts.health import volumes
from scripts.health.answers import Answers, as_json
from scripts.health.pages import Page, own_port
from scripts.health.volumes import Room
from scripts.stack import ingress, maintenance_window

_OK: Final = Finding(Status.OK)
_OF_THE_MACHINE: Final = ("room ", "clock ", "Mem", "oom_kill ")
_CROWDED: Final = 0.8  # of maxmemory: session_redis/store.py gives visitors no session from there
_ASK_IT: Final = "docker compose exec redis sh /etc/platform/cli ping, and ask who runs it"
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


def checks(
    answers: Answers, page: Page, certificate: Callable[[], Finding] = lambda: _OK
) -> list[Check]:
    """The first lines of the health report, from the outside inwards.

    `certificate` is asked in production: whether browsers accept the one in use, and how long.
    """
    database = answers.stack.settings.database
    return [
        Check("Nginx", lambda: _nginx(answers, certificate)),
        Check("Odoo (proxy)", page.finding),
        Check("Odoo (container)", lambda: _odoo_in_container(answers)),
        Check("PostgreSQL", lambda: _postgresql(answers, database)),
        Check("Redis", lambda: _redis(answers)),
    ]


def _mute(done: Completed, service: str) -> Finding:
    """That a program asked in the container of `service` has not answered as it should."""
    ended = f"what asks in its container ended with exit code {done.code}"
    return _failed(done.last_line or ended, service)


def _failed(detail: str, service: str) -> Finding:
    return Finding(Status.FAILED, detail, f"inv logs --service {service}")


def _nginx(answers: Answers, certificate: Callable[[], Finding]) -> Finding:
    settings = answers.stack.settings
    own_port(answers)
    reply = ingress.get(settings, "/nginx-health", timeout=answers.seconds)
    if reply.status != 200:
        return _failed(f"status {reply.status}", "nginx")
    window = maintenance_window.active(settings)
    if ingress.told_maintenance(reply) != (window.report if window else ""):
        return _OTHER_MAINTENANCE
    return certificate() if settings.tls else _OK


def _odoo_in_container(answers: Answers) -> Finding:
    done, redis = answers.odoo(), answers.stack.settings.redis
    said = as_json(done)
    if not said:
        return _mute(done, "odoo")
    foreign = str(said["filestore"]).startswith("Odoo may not")
    files = f"db_password.txt and {PASSWORD}.txt" if redis.external else "db_password.txt"
    hints = {
        "web": "inv logs --service odoo",
        "filestore": "inv restart --service odoo gives Odoo what is its own" if foreign else "",
        "passwords": f"inv restart, which reads secrets/{files} again",
    }
    found = [Finding(Status.FAILED, said[name], hints[name]) for name in hints if said[name]]
    slow = [name for name in hints if said[name] is None]
    if slow and not found:
        raise CannotTellError(f"its container does not tell in time: {', '.join(slow)}")
    return worst(found)


def _postgresql(answers: Answers, database: str) -> Finding:
    done, server = answers.odoo_db(), answers.stack.settings.postgres
    said = done.stdout.splitlines()
    if "server answers" not in said:
        return _mute(done, "odoo_db")
    refused = [line.removeprefix("refused ") for line in said if line.startswith("refused ")]
    if refused:
        wrong = "password authentication failed" in refused[0]
        if wrong and server.external:
            detail = f"{server.host} does not take the password in secrets/db_password.txt"
            hint = "put the one of its role there, then: inv restart"
            return Finding(Status.FAILED, detail, hint)
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


def _redis(answers: Answers) -> Finding:
    done, server = answers.redis(), answers.stack.settings.redis
    said = done.stdout.splitlines()
    if not done.ok or "OK" not in said:
        answer = [line for line in said if not line.startswith(_OF_THE_MACHINE)]
        refused = bool(answer) and not done.stderr.strip()
        silent = _failed(" ".join(answer), "redis") if refused else _mute(done, "redis")
        if server.external:
            return Finding(Status.FAILED, f"{server.place}: {silent.detail}", _ASK_IT)
        return silent
    try:
        session = as_json(answers.odoo()).get("session")
    except OpsError:  # a line of its own tells
        session = None
    told = dict(line.split(":", 1) for line in said if ":" in line)
    found = _external_redis(told) if server.external else _redis_information(told)
    if session in ("none", "lost"):
        found.append(_failed("a session that Odoo began is not found in it", "odoo"))
    return worst(found)


def _redis_information(said: Mapping[str, str]) -> list[Finding]:
    """What is not well by its own INFO."""
    found = _crowd(said, "raise REDIS_MAXMEMORY in .env")
    if said.get("aof_last_write_status", "ok") != "ok":
        found.append(_failed("it cannot write its file: a restart would lose sessions", "redis"))
    if said.get("aof_last_bgrewrite_status", "ok") != "ok":
        lost = "it could not make its file shorter, which grows now"
        found.append(Finding(Status.WARNING, lost, "inv logs --service redis"))
    if int(said.get("evicted_keys", 0)):
        policy = "it threw sessions away for want of memory; compose.yaml says noeviction"
        found.append(Finding(Status.WARNING, policy, "inv up, and raise REDIS_MAXMEMORY in .env"))
    return found


def _external_redis(said: Mapping[str, str]) -> list[Finding]:
    """The same of one that somebody else runs, as far as that one lets us know."""
    found = _crowd(said, "have it given more")
    if said.get("aof_last_write_status", "ok") != "ok":
        lost = "it cannot write its file: a restart would lose sessions"
        found.append(Finding(Status.FAILED, lost, "tell who runs it"))
    policy = said.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        lost = f"it may throw sessions away for want of memory: maxmemory-policy is {policy}"
        found.append(Finding(Status.WARNING, lost, "have it set to noeviction"))
    return found


def _crowd(said: Mapping[str, str], hint: str) -> list[Finding]:
    most, used = (int(said.get(name, 0)) for name in ("maxmemory", "used_memory"))
    crowded = "its memory is nearly full: visitors get no session"
    return [Finding(Status.WARNING, crowded, hint)] if most and used > _CROWDED * most else []


def volume_room(answers: Answers) -> Finding:
    """Whether the volumes and the folder of backups have room."""
    rooms = answers.rooms()
    settings = answers.stack.settings
    if settings.backup_folder.is_dir() and not settings.backups_elsewhere:
        rooms[f"backups in {settings.backup_folder}"] = Room.of_folder(settings.backup_folder)
    return volumes.finding(rooms)
