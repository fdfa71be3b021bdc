"""Many websockets at once, and those that pages of other sites open."""

import json
import textwrap
from typing import Any

from tests.e2e.support.production import Production

_AT_ONCE = 300

# Past Nginx, which takes 200 from one address; in the container, as nobody else reaches Odoo.
_OPEN = """
import base64, collections, json, os, socket, sys, threading
count, origin, cookie = int(sys.argv[1]), sys.argv[2], sys.argv[3]
head = (
    "GET /websocket HTTP/1.1", "Host: odoo.test", "X-Forwarded-Host: odoo.test",
    "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
    "Cookie: " + cookie,
    "Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode(),
    *(["Origin: " + origin] if origin else []), "", "",
)
answers, kept, gate = collections.Counter(), [], threading.Barrier(count)
def open_one():
    connection = socket.create_connection(("127.0.0.1", 8072), timeout=90)
    kept.append(connection)
    gate.wait()
    connection.sendall("\\r\\n".join(head).encode())
    answers[connection.recv(4096).split()[1].decode()] += 1
threads = [threading.Thread(target=open_one) for _ in range(count)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps(answers))
"""


def opened(production: Production, cookie: str, origin: str, count: int = 1) -> Any:
    """How often each status came."""
    program = ["python3", "-c", textwrap.dedent(_OPEN), str(count), origin, cookie]
    done = production.exec("odoo", *program)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_three_hundred_open_at_once(production: Production, admin: str) -> None:
    found = opened(production, admin, "https://odoo.test", _AT_ONCE)
    assert found == {"101": _AT_ONCE}


def test_a_page_of_another_site_opens_none_with_our_cookie(
    production: Production, admin: str
) -> None:
    for origin in ("https://evil.test", "https://odoo.test.evil.test", "null", "https://shop.test"):
        assert opened(production, admin, origin) == {"403": 1}, origin
    assert opened(production, admin, "") == {"400": 1}, "every browser sends it"
    assert opened(production, admin, "https://odoo.test") == {"101": 1}


def test_odoo_opens_fewer_connections_than_postgresql_takes(production: Production) -> None:
    conf = (production.root / "odoo" / "odoo.conf").read_text()
    options = dict(
        line.split(" = ") for line in conf.splitlines() if " = " in line and line[0] != ";"
    )
    processes = int(options["workers"]) + int(options["max_cron_threads"])
    most = processes * int(options["db_maxconn"]) + int(options["db_maxconn_gevent"])
    reserved = int(production.sql("SHOW superuser_reserved_connections"))
    assert most + 20 <= int(production.sql("SHOW max_connections")) - reserved
