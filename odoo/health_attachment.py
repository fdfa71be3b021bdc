"""Whether an attachment can be written, and read through Nginx: a question of health.py.

Edit by hand freely; `inv health` uses it at once. Run: docker compose exec --user odoo odoo
python3 /etc/odoo/health.py 3 http://localhost
"""

import hashlib
import http.client
import secrets
import socket
import ssl
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2

NAME = "platform-health"
SKIPPED = "skipped"  # there is nothing to ask about, or no moment for it
CANDIDATES = 5
# Files of style sheets and scripts, which everybody may read anyway.
STORED = (
    "SELECT store_fname FROM ir_attachment WHERE res_model = 'ir.ui.view' AND"
    " url LIKE '/web/assets/%%' AND store_fname IS NOT NULL AND file_size > 0"
    " ORDER BY file_size LIMIT %s"
)
# Without a token of this one nobody reads it; it is gone after the look.
INSERT = (
    "INSERT INTO ir_attachment (name, type, public, access_token, store_fname, checksum, mimetype,"
    " create_date) VALUES (%s, 'binary', false, %s, %s, %s, 'application/octet-stream',"
    " now() AT TIME ZONE 'UTC') RETURNING id"
)
# Older ones were left by a look that was killed.
DELETE = (
    "DELETE FROM ir_attachment WHERE store_fname = %s AND name = %s AND"
    " (id = %s OR create_date < now() AT TIME ZONE 'UTC' - interval '1 hour')"
)


def attachment(connection: Any, filestore: Path, site: str, seconds: float) -> str | None:
    """What is wrong with it, '' if nothing is; None where it could not be asked.

    It has the file of another one: files that come and go would not fit a backup under way.
    `site` is the address of the platform; Nginx is asked for it on the network of the containers.
    `seconds` is how long all of it may take.
    """
    began = time.monotonic()
    try:
        with closing(connection), connection.cursor() as cursor:
            cursor.execute(STORED, [CANDIDATES])
            names = [row[0] for row in cursor.fetchall()]
            name = next((n for n in names if _is_whole(filestore / n)), None)
            if name is None:  # another line tells of files that are lost
                return SKIPPED
            token, checksum = secrets.token_hex(16), Path(name).name
            cursor.execute(INSERT, [NAME, token, name, checksum])
            (number,) = cursor.fetchone()
            connection.commit()
            try:
                path = f"/web/content/{number}?access_token={token}"
                return _read(site, path, checksum, seconds - (time.monotonic() - began))
            finally:
                cursor.execute(DELETE, [name, NAME, number])
                connection.commit()
    except psycopg2.errors.LockNotAvailable:  # Odoo is removing files, or a module changes
        return SKIPPED
    except psycopg2.IntegrityError:  # a module requires more of an attachment than Odoo does
        return SKIPPED
    except psycopg2.errors.ReadOnlySqlTransaction as error:
        return f"none can be written: {error}".strip()
    except psycopg2.Error:  # PostgreSQL's own line tells
        return None


def _is_whole(path: Path) -> bool:
    """Whether a file of the filestore, which is called by its checksum, has its content."""
    try:
        return hashlib.sha1(path.read_bytes()).hexdigest() == path.name
    except OSError:
        return False


def _read(site: str, path: str, checksum: str, seconds: float) -> str:
    try:
        status, content = _get(site, path, max(0.5, seconds))
    except (OSError, http.client.HTTPException) as error:
        return f"Nginx does not answer: {error}"
    if status != 200:
        return f"one cannot be read: status {status}"
    same = hashlib.sha1(content).hexdigest() == checksum
    return "" if same else "one that is read is not what was written"


def _get(site: str, path: str, seconds: float) -> tuple[int, bytes]:
    """Status and body of `path`, of the site that is called so, from the container of Nginx."""
    parts = urlsplit(site)
    secure = parts.scheme == "https"
    plain = socket.create_connection(("nginx", 443 if secure else 80), seconds)
    with closing(http.client.HTTPConnection(parts.hostname or "", timeout=seconds)) as connection:
        connection.sock = _encrypted(plain, parts.hostname) if secure else plain
        connection.request("GET", path, headers={"Host": parts.netloc})
        answer = connection.getresponse()
        return answer.status, answer.read()


def _encrypted(plain: socket.socket, name: str | None) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # another line of the report compares it
    return context.wrap_socket(plain, server_hostname=name)
