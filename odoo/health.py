"""What `inv health` asks in Odoo's container, as the user that Odoo runs as. Prints JSON.

docker compose exec --user odoo odoo python3 /etc/odoo/health.py
Edit by hand freely; it counts at once. An empty text means that all is well, null that it could
not be asked. A number behind it is how many seconds each question may take (3); with the address of
the platform an attachment is read through Nginx, and with the word `brief` no PDF is made.
"""

import configparser
import errno
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, suppress
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2

sys.path.insert(0, "/mnt/extra-addons/session_redis")
from health_attachment import attachment
from settings import Settings, SettingsError

DATA = Path("/var/lib/odoo")
DATABASE = os.environ.get("ODOO_DATABASE", "odoo")
ODOO = "http://127.0.0.1:8069"
# For each question; they are asked side by side.
SECONDS = next((int(word) for word in sys.argv[1:] if word.isdecimal()), 3)
GRACE = 1  # second more for all of them: most end by themselves in time
SITE = next((word for word in sys.argv[1:] if "://" in word), "")
PDF = {"XDG_CACHE_HOME": "/tmp/.platform-health"}
COUNTS = ("workers", "max_cron_threads", "db_maxconn", "db_maxconn_gevent")
QUICKLY = ("--quiet", "--javascript-delay", "0")  # else it waits 0.2 s for scripts
SHOWN = 3  # folders in one line
SIZE = 4096  # bytes of the file that is tried
COLLECTION = "%i %S %b %a %c %d"  # scripts/health/volumes.py reads it


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def get(path: str) -> tuple[int, str, str]:
    """Status, session id and the place of a redirect, which is not followed."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)
    try:
        answer = opener.open(ODOO + path, timeout=SECONDS)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        cookies = SimpleCookie("; ".join(answer.headers.get_all("Set-Cookie") or []))
        sid = cookies["session_id"].value if "session_id" in cookies else ""
        return answer.status, sid, answer.headers.get("Location", "")


def web() -> str:
    """Whether the server answers; of its database /web/health says nothing."""
    try:
        status, _, _ = get("/web/health")
    except OSError as error:
        return f"it does not answer: {getattr(error, 'reason', error)}"
    return "" if status == 200 else f"/web/health answers with status {status}"


def filestore() -> str:
    """Whether an upload could be stored, whatever folder its checksum sends it to."""
    root = DATA / "filestore" / DATABASE
    if not root.is_dir():  # Odoo makes it with the first upload
        root = root.parent
    folders = [root, *_folders(root), root / "checklist", *_folders(root / "checklist")]
    wrong = [f for f in folders if f.is_dir() and not os.access(f, os.R_OK | os.W_OK | os.X_OK)]
    if wrong:
        names = ", ".join(str(f) for f in wrong[:SHOWN]) + (" …" if len(wrong) > SHOWN else "")
        return f"Odoo may not write into {names}"
    try:
        _write_into(folders[1] if len(folders) > 2 else root)
    except OSError as error:
        return f"no file can be written below {root}: {error.strerror}"
    return ""


def _write_into(folder: Path) -> None:
    """Write a file as Odoo would, but without a name: a backup under way must not see it go."""
    try:
        trial = os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o644)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR):
            raise
        # This kind of file system gives each file a name. Here, no backup looks.
        named = DATA / "filestore" / ".platform-health"
        trial = os.open(named, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o644)
        named.unlink(missing_ok=True)
    try:
        if os.write(trial, bytes(SIZE)) < SIZE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(trial)


def _folders(place: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(place) if len(entry.name) == 2]
    except OSError:  # it is among those that are looked at itself
        return []


def passwords(settings: Settings) -> str:
    """Whether PostgreSQL or Redis refuses the password that Odoo was started with."""
    import redis  # half of the time of all imports: meanwhile, others are waited for

    refused = []
    try:
        psycopg2.connect(dbname=DATABASE, connect_timeout=SECONDS).close()
    except psycopg2.OperationalError as error:
        if "password authentication failed" in str(error):
            refused.append("PostgreSQL")
    try:
        settings.client().ping()
    except SettingsError as error:
        return f"session_redis: {error}"
    except redis.RedisError as error:  # of any other its own line tells
        if isinstance(error, redis.AuthenticationError):
            refused.append("Redis")
    who = " and ".join(refused)
    return f"the password that Odoo was started with is refused by {who}" if refused else ""


def reports() -> str | None:
    """Whether a PDF can be made, as Odoo makes reports; without that they come as HTML."""
    program = shutil.which("wkhtmltopdf")
    if not program:
        return "there is no wkhtmltopdf: no report as PDF"

    def run(arguments: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [program, *arguments],
            input=b"<p>Health</p>",
            env={**os.environ, **PDF},
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )

    try:
        with ThreadPoolExecutor(2) as both:
            version, made = both.map(run, (["--version"], [*QUICKLY, "-", "-"]))
    except subprocess.TimeoutExpired:  # on a busy machine it is slow
        return None
    except OSError as error:
        return f"wkhtmltopdf does not start: {error.strerror}"
    if not made.stdout.startswith(b"%PDF-"):
        last = made.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        return f"wkhtmltopdf makes no PDF: {last or f'exit code {made.returncode}'}"
    return "" if b"patched qt" in version.stdout else "unpatched"


def options() -> dict[str, str]:
    """What the entrypoint has written for this start; nothing where it cannot be read."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read(os.environ.get("ODOO_RC", ""))
        return dict(parser["options"])
    except (configparser.Error, KeyError, OSError):
        return {}


def processes() -> dict[str, int]:
    """How many processes and connections of each there may be, by the configuration file."""
    return {name: int(value) for name, value in options().items() if name in COUNTS}


def modules() -> str | None:
    """The installed modules whose files are not there any more; Odoo cannot load them."""
    found = importlib.util.find_spec("odoo")
    places = [Path(place) for place in (found and found.submodule_search_locations) or ()]
    folders = [*(p / "addons" for p in places), *(p.parent / "addons" for p in places)]
    folders += [Path(path.strip()) for path in options().get("addons_path", "").split(",")]
    query = "SELECT name FROM ir_module_module WHERE state IN ('installed', 'to upgrade')"
    try:
        with closing(connect()) as there, there.cursor() as cursor:
            cursor.execute(query)
            names = sorted(row[0] for row in cursor.fetchall())
    except psycopg2.Error:  # PostgreSQL's own line tells
        return None
    return ", ".join(name for name in names if not any(_is_in(f, name) for f in folders))


def connect() -> Any:
    """A connection to the database whose questions end in time; raises psycopg2.Error."""
    settings = f"-c statement_timeout={SECONDS * 1000} -c lock_timeout=1000"
    return psycopg2.connect(dbname=DATABASE, connect_timeout=SECONDS, options=settings)


def attachments(site: str) -> str | None:
    """Whether one can be written, and read through Nginx."""
    began = time.monotonic()
    try:
        there = connect()
    except psycopg2.Error:  # PostgreSQL's own line tells
        return None
    left = SECONDS - (time.monotonic() - began)
    return attachment(there, DATA / "filestore" / DATABASE, site, left)


def _is_in(folder: Path, module: str) -> bool:
    return (folder / module / "__manifest__.py").is_file()


def session(settings: Settings) -> str:
    """What became of a session that Odoo began: it does as soon as there is something in it."""
    import redis

    try:
        status, sid, location = get("/web?debug=1")  # a redirect, in a tenth of the page's time
        if status >= 400 or urlsplit(location).path.startswith("/web/database"):
            return "unknown"  # it has no database, and keeps no session then
        if not sid:
            return "none" if urlsplit(location).path == "/web/login" else "unknown"
        return "found" if settings.client().unlink(settings.key(sid)) else "lost"
    except (OSError, redis.RedisError, SettingsError):  # other lines tell why
        return "unknown"


def room() -> str:
    """How full the volume is."""
    stat = ["stat", "-f", "-c", COLLECTION, str(DATA)]
    return subprocess.run(stat, capture_output=True, text=True, check=False).stdout.strip()


def memory_kills() -> int:
    """How many processes of this container the kernel has killed for want of memory."""
    for name in ("memory.events", "memory/memory.oom_control"):
        with suppress(OSError):
            lines = Path("/sys/fs/cgroup", name).read_text().splitlines()
            return int(dict(line.split() for line in lines).get("oom_kill", 0))
    return 0


def main(*, brief: bool, site: str) -> dict[str, Any]:
    """Ask everything; what cannot be asked, or takes too long on a busy machine, is None."""
    questions: dict[str, Callable[[], Any]] = {
        "room": room,
        "web": web,
        "filestore": filestore,
        "processes": processes,
        "memory_kills": memory_kills,
        "modules": modules,
    }
    if not brief:
        questions["reports"] = reports
    if site:
        questions["attachment"] = lambda: attachments(site)
    known: dict[str, Any] = {}
    try:
        settings = Settings.load(os.environ.get("ODOO_RC", ""), os.environ)
        questions["passwords"] = lambda: passwords(settings)
        questions["session"] = lambda: session(settings)
    except SettingsError as error:
        known = {"passwords": f"session_redis: {error}", "session": "unknown"}
    pool = ThreadPoolExecutor(len(questions))
    asked = {name: pool.submit(question) for name, question in questions.items()}
    wait(asked.values(), SECONDS + GRACE)
    return {**known, **{n: each.result() if each.done() else None for n, each in asked.items()}}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(brief="brief" in sys.argv[1:], site=SITE)) + "\n")
    sys.stdout.flush()
    os._exit(0)  # nobody waits for questions that take too long
