"""What requests cost Odoo, PostgreSQL and Nginx in processor time; capacity.py takes it from here.

Run it on a production of its own for trials, with LOG_FORMAT=json and, for orders and the shop, the
modules sale_management and website_sale, when the machine has nothing else to do:
    .venv/bin/python benchmarks/service_times.py [ROUNDS] > benchmarks/service_times.json
It creates customers, products and orders, which stay. One client asks, slower than Nginx limits;
processor seconds are those of the containers' control groups, less what they use without
requests; SQL statements are those that Odoo's log counts. Medians of ROUNDS (5).
"""

import base64
import json
import os
import re
import ssl
import statistics
import struct
import sys
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import quiet  # noqa: E402
import requests  # noqa: E402
import urllib3  # noqa: E402
import websocket  # noqa: E402

from nginx import COMPOSE, SETTINGS, run  # noqa: E402

PACE: Final = 0.13  # seconds between two requests: Nginx lets 10 of an address pass in a second
REQUESTS: Final = 60
URL: Final = f"https://localhost:{SETTINGS.https_port}"
PARTS: Final = {"odoo": "odoo", "odoo_db": "postgres", "nginx": "nginx", "redis": "nginx"}
NAME: Final[dict[str, Any]] = {"fields": {"display_name": {}}}
# Control groups of version 2, or 1.
USAGE: Final = "cat /sys/fs/cgroup/cpu.stat 2>/dev/null || cat /sys/fs/cgroup/cpuacct/cpuacct.usage"


def usage(service: str) -> float:
    """Seconds of processor that the service's container has used so far."""
    found = run(*COMPOSE, "exec", "-T", service, "sh", "-c", USAGE)
    micro = re.search(r"usage_usec (\d+)", found)
    return int(micro[1]) / 1e6 if micro else int(found) / 1e9


def statements(since: datetime) -> int:
    """SQL statements of the requests that Odoo has logged, without those of health checks."""
    log = run(*COMPOSE, "logs", "--no-log-prefix", "--since", since.isoformat(), "odoo")
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return sum(int(line.get("queries", 0)) for line in lines if "/web/health" not in str(line))


def block(ask: Callable[[], object] | None, count: int, pace: float) -> dict[str, float]:
    """Seconds passed, of processor for each part, and statements while `ask` is done so often."""
    before = {service: usage(service) for service in PARTS}
    began, since = time.monotonic(), datetime.now(UTC)
    for _ in range(count):
        due = time.monotonic() + pace
        if ask:
            ask()
        time.sleep(max(0.0, due - time.monotonic()))
    found = {"passed": time.monotonic() - began, "queries": float(statements(since))}
    for service, part in PARTS.items():
        found[part] = found.get(part, 0.0) + usage(service) - before[service]
    return found


def browser() -> requests.Session:
    """Takes the self-signed certificate, and nothing from the environment, such as a proxy."""
    session = requests.Session()
    session.verify, session.trust_env = False, False
    return session


def visits(path: str) -> Callable[[], None]:
    """A visitor who comes back to a page with the session of his first visit."""
    visitor = browser()

    def visit() -> None:
        visitor.get(URL + path, timeout=60).raise_for_status()

    return visit


def presence(client: "Client") -> Callable[[], None]:
    """What a page of the web client says each minute by its websocket."""
    cookie = "; ".join(f"{one.name}={one.value}" for one in client.session.cookies)
    seen = {"inactivity_period": 0, "im_status_ids_by_model": {}}

    def opened() -> websocket.WebSocket:
        return websocket.create_connection(
            URL.replace("https", "wss") + "/websocket",
            sslopt={"cert_reqs": ssl.CERT_NONE},
            cookie=cookie,
            origin=URL,
        )

    held: list[websocket.WebSocket] = []

    def say() -> None:
        said = json.dumps({"event_name": "update_presence", "data": seen})
        try:
            held[-1].send(said)
        except (IndexError, OSError, websocket.WebSocketException):
            held.append(opened())  # Odoo closes one that leaves its pings without an answer
            held[-1].send(said)
        time.sleep(0.3)  # Odoo closes what says more than five things in a second

    return say


class Client:
    """The administrator's session in the web client."""

    def __init__(self) -> None:
        urllib3.disable_warnings()
        self.session = browser()
        page = self.get("/web/login")
        token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        assert token
        password = (SETTINGS.root / "secrets" / "odoo_admin_password.txt").read_text().strip()
        form = {"login": "admin", "password": password, "csrf_token": token[1]}
        self.session.post(f"{URL}/web/login", data=form, timeout=60).raise_for_status()

    def get(self, path: str) -> requests.Response:
        """The answer, which has to be a good one."""
        answer = self.session.get(URL + path, timeout=120)
        answer.raise_for_status()
        return answer

    def call(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """What a method of a model returns, as the web client asks for it."""
        params = {"model": model, "method": method, "args": args, "kwargs": kwargs}
        body = {"jsonrpc": "2.0", "method": "call", "params": params}
        url = f"{URL}/web/dataset/call_kw/{model}/{method}"
        answer = self.session.post(url, json=body, timeout=120)
        answer.raise_for_status()
        found = answer.json()
        assert "error" not in found, found["error"]["data"]["message"]
        return found["result"]


def picture(shade: int) -> str:
    """A PNG of 512 by 512 with noise, as products have."""
    rows = b"".join(b"\0" + os.urandom(128) + bytes([shade]) * 1408 for _ in range(512))
    head = struct.pack(">IIBBBBB", 512, 512, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    ]
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(chunks)).decode()


Asked = dict[str, Callable[[], object]]


def everywhere(client: Client) -> Asked:
    """What any Odoo has."""
    call = client.call
    people = [{"name": f"Customer {n}", "email": f"c{n}@example.com"} for n in range(500)]
    customer = call("res.partner", "create", people)[1]
    data = base64.b64encode(os.urandom(100_000)).decode()
    file = call("ir.attachment", "create", {"name": "times.bin", "datas": data})
    fields = {"name": {}, "email": {}, "phone": {}, "country_id": NAME}

    def note() -> None:
        call("res.partner", "write", [customer], {"comment": os.urandom(4).hex()})

    return {
        "login page": visits("/web/login"),
        "page": lambda: client.get("/odoo"),
        "search": lambda: call("res.partner", "web_search_read", [], fields, limit=80),
        "write": note,
        "create": lambda: call("res.partner", "create", {"name": "Customer"}),
        "file": lambda: client.get(f"/web/content/{file}"),
        "static file": visits("/web/static/src/libs/fontawesome/css/font-awesome.css"),
        "websocket": presence(client),
    }


def sales(client: Client) -> Asked:
    """Orders, and the shop with its products; `order` is one that is created and confirmed."""
    call = client.call
    customer = call("res.partner", "create", {"name": "Customer"})
    wares = [{"name": f"Product {n}", "list_price": 10 + n, "is_published": True,
              "image_1920": picture(n)} for n in range(40)]  # fmt: skip
    products = call("product.template", "create", wares)
    variants = call("product.product", "search", [("product_tmpl_id", "in", products)])
    lines = [(0, 0, {"product_id": one, "product_uom_qty": 2}) for one in variants[:5]]

    def order() -> int:
        return int(call("sale.order", "create", {"partner_id": customer, "order_line": lines}))

    orders = [order() for _ in range(40)]
    row: dict[str, Any] = {"name": {}, "date_order": {}, "amount_total": {}, "partner_id": NAME}
    inner = {"product_id": NAME, "product_uom_qty": {}, "price_unit": {}, "price_subtotal": {}}
    form = row | {"order_line": {"fields": inner}, "note": {}, "tax_totals": {}}
    page = browser().get(f"{URL}/shop", timeout=60).text
    product = re.findall(r'href="(/shop/[a-z0-9-]+-\d+)', page)[0]
    return {
        "search orders": lambda: call("sale.order", "web_search_read", [], row, limit=80),
        "read": lambda: call("sale.order", "web_read", [orders[0]], form),
        "create order": order,
        "order": lambda: call("sale.order", "action_confirm", [order()]),
        "report": lambda: client.get(f"/report/pdf/sale.report_saleorder/{orders[0]}"),
        "shop page": visits("/shop"),
        "product page": visits(product),
        "picture": visits(f"/web/image/product.template/{products[0]}/image_512"),
    }


def main() -> None:
    """Print the medians as JSON, and on standard error how they were found."""
    began = quiet.load()
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    client = Client()
    asked = everywhere(client)
    wanted = [("state", "=", "installed"), ("name", "in", ["sale_management", "website_sale"])]
    if client.call("ir.module.module", "search_count", wanted) == 2:
        asked |= sales(client)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in asked}
    for ask in asked.values():
        for _ in range(8):  # every worker has its registry, and what it keeps of templates
            ask()
            time.sleep(PACE)
    for _ in range(rounds):
        idle = block(None, 60, 0.2)
        for name, ask in asked.items():
            count = REQUESTS // 6 if name == "report" else REQUESTS
            taken = block(ask, count, PACE)
            rest = {part: idle[part] / idle["passed"] for part in set(PARTS.values())}
            each = {p: max(0.0, taken[p] - rest[p] * taken["passed"]) / count for p in rest}
            found[name].append(each | {"queries": taken["queries"] / count})
            print(name, {key: round(v, 5) for key, v in found[name][-1].items()}, file=sys.stderr)
    print(quiet.verdict(began), file=sys.stderr)
    names = ("odoo", "postgres", "nginx", "queries")
    medians = {
        kind: {name: round(statistics.median(one[name] for one in taken), 5) for name in names}
        for kind, taken in found.items()
    }
    print(json.dumps(medians, indent=2))


if __name__ == "__main__":
    main()
