"""Proves that Odoo works on a restored copy; `inv backup.verify` runs it in Odoo's image.

It starts a server on the database ODOO_DATABASE, logs in and downloads attachments. The
copy is thrown away afterwards, so that it may be given a password of our own.
"""

import hashlib
import http.client
import json
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

import psycopg2
from passlib.context import CryptContext

DATABASE = os.environ["ODOO_DATABASE"]
PORT = 8069
LOG = Path("/tmp/odoo.log")
START_SECONDS = 300
DOWNLOADS = 20
_CRYPT = CryptContext(["pbkdf2_sha512"], pbkdf2_sha512__rounds=25_000)


def borrow_login(password: str) -> str:
    """Give an administrator a password that we know, and no second factor."""
    with psycopg2.connect(dbname=DATABASE) as connection, connection.cursor() as cursor:
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
            "UPDATE res_users SET password = %s WHERE id = %s", (_CRYPT.hash(password), row[0])
        )
        cursor.execute(
            "SELECT 1 FROM information_schema.columns"
            " WHERE table_name = 'res_users' AND column_name = 'totp_secret'"
        )
        if cursor.fetchone():
            cursor.execute("UPDATE res_users SET totp_secret = NULL WHERE id = %s", (row[0],))
    login: str = row[1]
    return login


def ask(method: str, path: str, body: dict | None = None, cookie: str = "") -> tuple:
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    headers = {"Content-Type": "application/json", **({"Cookie": cookie} if cookie else {})}
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.getheaders()
    finally:
        connection.close()


def call(path: str, params: dict, cookie: str = "") -> tuple:
    body = {"jsonrpc": "2.0", "method": "call", "params": params}
    status, content, headers = ask("POST", path, body, cookie)
    answer = json.loads(content) if status == 200 else {"error": {"message": f"status {status}"}}
    if "error" in answer:
        error = answer["error"]
        sys.exit(f"error: {path}: {error.get('data', {}).get('message') or error['message']}")
    return answer.get("result"), headers


def last_words() -> str:
    """What Odoo said last, for people: the line of an error, else the last line."""
    lines = [line for line in LOG.read_text(errors="replace").splitlines() if line.strip()]
    sys.stderr.write("".join(f"{line}\n" for line in lines[-40:]))
    telling = [line for line in lines if " CRITICAL " in line or " ERROR " in line]
    return (lines[-1:] or telling or ["it said nothing"])[0][:300]


def await_server(server: subprocess.Popen) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            sys.exit(f"error: Odoo ended with exit code {server.returncode}: {last_words()}")
        try:
            if ask("GET", "/web/login")[0] in (200, 303):
                return
        except OSError:
            pass
        time.sleep(0.5)
    sys.exit(f"error: no login page within {START_SECONDS} s")


def log_in(login: str, password: str) -> str:
    """The Cookie header of the new session."""
    given = {"db": DATABASE, "login": login, "password": password}
    result, headers = call("/web/session/authenticate", given)
    if not (result or {}).get("uid"):
        sys.exit(f"error: Odoo lets nobody in as {login!r}")
    cookies = [v.split(";")[0] for name, v in headers if name.lower() == "set-cookie"]
    return "; ".join(cookies)


def download(cookie: str) -> int:
    """Fetch the newest attachments by way of Odoo; each has to be what its name says.

    But for those that the backup itself names as lost: what else it has was restored whole.
    """
    lost = set(json.load(sys.stdin))
    with psycopg2.connect(dbname=DATABASE) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, store_fname FROM ir_attachment WHERE store_fname IS NOT NULL"
            " AND type = 'binary' AND res_field IS NULL AND url IS NULL"
            " AND store_fname <> ALL(%s) ORDER BY id DESC LIMIT %s",
            (list(lost), DOWNLOADS),
        )
        wanted = cursor.fetchall()
    for number, name in wanted:
        status, content, _ = ask("GET", f"/web/content/{number}", cookie=cookie)
        found = hashlib.sha1(content).hexdigest()
        if status != 200 or found != name.rpartition("/")[2]:
            sys.exit(f"error: attachment {number} does not come back whole (status {status})")
    return len(wanted)


def main() -> None:
    password = secrets.token_urlsafe(16)
    login = borrow_login(password)
    options = ["--database", DATABASE, f"--db-filter=^{DATABASE}$", "--workers=0"]
    quiet = ["--max-cron-threads=0", "--log-level=warn", f"--http-port={PORT}"]
    with LOG.open("wb") as log:
        server = subprocess.Popen(["odoo", *options, *quiet], stdout=log, stderr=log)
    try:
        await_server(server)
        cookie = log_in(login, password)
        count = download(cookie)
        call("/web/session/destroy", {}, cookie)  # it lives in the platform's own Redis
        print(json.dumps({"login": login, "downloads": count}), flush=True)
    finally:
        server.terminate()
        server.wait(60)


if __name__ == "__main__":
    main()
