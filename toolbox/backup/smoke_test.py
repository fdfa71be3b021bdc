"""Proves that Odoo works on a restored copy; `inv backup.verify` runs it in Odoo's image.

It starts a server on the database ODOO_DATABASE, logs in and downloads attachments. The
copy is dropped afterwards, so its administrator may be given a known password.
"""

import hashlib
import http.client
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from passlib.context import CryptContext

from toolbox.contract.backups import SmokeTestResult
from toolbox.contract.codec import to_json

PORT = 8069
LOG = Path("/tmp/odoo.log")
START_SECONDS = 300
DOWNLOADS = 20
_CRYPT_ROUNDS = 25_000
_SHOWN = 40  # lines of Odoo's log on standard error
_LONGEST = 300  # characters of the reason
_SEVERE = (" CRITICAL ", " ERROR ")


@dataclass(frozen=True)
class Answer:
    """What Odoo answered to one request."""

    status: int
    content: bytes
    headers: list[tuple[str, str]]


def take_over_login(database: str, password: str) -> str:
    """Give an administrator this password, and no second factor; returns the login."""
    crypt = CryptContext(["pbkdf2_sha512"], pbkdf2_sha512__rounds=_CRYPT_ROUNDS)
    with psycopg2.connect(dbname=database) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT u.id, u.login FROM res_users u WHERE u.active AND NOT u.share AND u.id IN"
            " (SELECT r.uid FROM res_groups_users_rel r JOIN ir_model_data d"
            "  ON d.model = 'res.groups' AND d.res_id = r.gid"
            "  WHERE d.module = 'base' AND d.name = 'group_system')"
            " AND u.id <> 1 ORDER BY u.id LIMIT 1"
        )
        row = cursor.fetchone()
        if not row:
            sys.exit("error: there is no active administrator in this database")
        cursor.execute(
            "UPDATE res_users SET password = %s WHERE id = %s", (crypt.hash(password), row[0])
        )
        cursor.execute(
            "SELECT 1 FROM information_schema.columns"
            " WHERE table_name = 'res_users' AND column_name = 'totp_secret'"
        )
        if cursor.fetchone():
            cursor.execute("UPDATE res_users SET totp_secret = NULL WHERE id = %s", (row[0],))
    login: str = row[1]
    return login


def ask(method: str, path: str, body: dict[str, Any] | None = None, cookie: str = "") -> Answer:
    """Send one request to the server in this container."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    headers = {"Content-Type": "application/json", **({"Cookie": cookie} if cookie else {})}
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        return Answer(response.status, response.read(), response.getheaders())
    finally:
        connection.close()


def call(path: str, params: dict[str, Any], cookie: str = "") -> tuple[Any, Answer]:
    """The result of a JSON-RPC call; ends the program with the server's reason if it failed."""
    answer = ask("POST", path, {"jsonrpc": "2.0", "method": "call", "params": params}, cookie)
    found: dict[str, Any] = {"error": {"message": f"status {answer.status}"}}
    if answer.status == 200:
        found = json.loads(answer.content)
    if "error" in found:
        error = found["error"]
        sys.exit(f"error: {path}: {error.get('data', {}).get('message') or error['message']}")
    return found.get("result"), answer


def reason_in(log: str) -> str:
    """The first line of an error in Odoo's log, which names the cause; else the last line."""
    lines = [line for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if any(level in line for level in _SEVERE)]
    return (errors or lines[-1:] or ["it said nothing"])[0][:_LONGEST]


def explain_end() -> str:
    """Why Odoo ended, in one line; the end of its log goes to standard error."""
    log = LOG.read_text(errors="replace")
    sys.stderr.write("".join(f"{line}\n" for line in log.splitlines()[-_SHOWN:]))
    return reason_in(log)


def await_server(server: "subprocess.Popen[bytes]") -> None:
    """Wait for the login page; ends the program if it does not come."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            sys.exit(f"error: Odoo ended with exit code {server.returncode}: {explain_end()}")
        try:
            if ask("GET", "/web/login").status in (200, 303):
                return
        except OSError:  # it does not listen yet
            time.sleep(0.5)
            continue
        time.sleep(0.5)
    sys.exit(f"error: no login page within {START_SECONDS} s")


def log_in(database: str, login: str, password: str) -> str:
    """The Cookie header of the new session."""
    given = {"db": database, "login": login, "password": password}
    result, answer = call("/web/session/authenticate", given)
    if not isinstance(result, dict) or not result.get("uid"):
        sys.exit(f"error: Odoo refuses the login {login!r}")
    cookies = [v.split(";")[0] for name, v in answer.headers if name.lower() == "set-cookie"]
    return "; ".join(cookies)


def download(database: str, cookie: str, lost: Collection[str]) -> int:
    """Fetch the newest attachments by way of Odoo; each has to be what its name says.

    Except the `lost` ones, which the backup itself names: everything else was restored whole.
    """
    with psycopg2.connect(dbname=database) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, store_fname FROM ir_attachment WHERE store_fname IS NOT NULL"
            " AND type = 'binary' AND res_field IS NULL AND url IS NULL"
            " AND store_fname <> ALL(%s) ORDER BY id DESC LIMIT %s",
            (list(lost), DOWNLOADS),
        )
        wanted = cursor.fetchall()
    for number, name in wanted:
        answer = ask("GET", f"/web/content/{number}", cookie=cookie)
        found = hashlib.sha1(answer.content).hexdigest()
        if answer.status != 200 or found != name.rpartition("/")[2]:
            sys.exit(
                f"error: attachment {number} does not come back whole (status {answer.status})"
            )
    return len(wanted)


def main() -> None:
    database, password = os.environ["ODOO_DATABASE"], secrets.token_urlsafe(16)
    login = take_over_login(database, password)
    options = ["--database", database, f"--db-filter=^{database}$", "--workers=0"]
    quiet = ["--max-cron-threads=0", "--log-level=warn", f"--http-port={PORT}"]
    with LOG.open("wb") as log:
        server = subprocess.Popen(["odoo", *options, *quiet], stdout=log, stderr=log)
    try:
        await_server(server)
        cookie = log_in(database, login, password)
        count = download(database, cookie, set(json.load(sys.stdin)))
        call("/web/session/destroy", {}, cookie)  # it lives in the platform's own Redis
        print(to_json(SmokeTestResult(login=login, downloads=count)), flush=True)
    finally:
        server.terminate()
        server.wait(60)


if __name__ == "__main__":
    main()
