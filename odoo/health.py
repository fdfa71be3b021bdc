"""What `inv health` asks in Odoo's container, as the user that Odoo runs as. Prints JSON.

docker compose exec --user odoo odoo python3 /etc/odoo/health.py
Edit by hand freely; it counts at once. An empty text means that all is well.
"""

import errno
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import redis

sys.path.insert(0, "/mnt/extra-addons/session_redis")
from settings import Settings, SettingsError

DATA = Path("/var/lib/odoo")
DATABASE = os.environ.get("ODOO_DATABASE", "odoo")
ODOO = "http://127.0.0.1:8069"
SECONDS = 10
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


def passwords(client: Any) -> str:
    """Whether PostgreSQL or Redis refuses the password that Odoo was started with."""
    refused = []
    try:
        psycopg2.connect(dbname=DATABASE, connect_timeout=3).close()
    except psycopg2.OperationalError as error:
        if "password authentication failed" in str(error):
            refused.append("PostgreSQL")
    try:
        client.ping()
    except redis.RedisError as error:  # of any other its own line tells
        if isinstance(error, redis.AuthenticationError):
            refused.append("Redis")
    who = " and ".join(refused)
    return f"the password that Odoo was started with is refused by {who}" if refused else ""


def reports() -> str:
    """Whether there is what Odoo makes PDF of reports with; without it they come as HTML."""
    return "" if shutil.which("wkhtmltopdf") else "there is no wkhtmltopdf: no report as PDF"


def session(settings: Settings, client: Any) -> str:
    """What became of a session that Odoo began: it does as soon as there is something in it."""
    try:
        status, sid, location = get("/web/login?debug=1")
        if status >= 400 or urlsplit(location).path.startswith("/web/database"):
            return "unknown"  # it has no database, and keeps no session then
        if not sid:
            return "none" if status == 200 else "unknown"
        return "found" if client.unlink(settings.key(sid)) else "lost"
    except (OSError, redis.RedisError):  # other lines tell why
        return "unknown"


def main() -> dict[str, str]:
    """Ask everything; what cannot be asked is an answer too."""
    stat = ["stat", "-f", "-c", COLLECTION, str(DATA)]
    room = subprocess.run(stat, capture_output=True, text=True, check=False).stdout.strip()
    answers = {"room": room, "web": web(), "filestore": filestore(), "reports": reports()}
    try:
        settings = Settings.load(os.environ.get("ODOO_RC", ""), os.environ)
        client = settings.client()
    except SettingsError as error:
        return {**answers, "passwords": f"session_redis: {error}", "session": "unknown"}
    return {**answers, "passwords": passwords(client), "session": session(settings, client)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main()) + "\n")
