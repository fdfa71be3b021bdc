"""Requests of a logged-in user with sessions in Redis against sessions in files, as a ratio.

Run it beside a platform that is up:
    .venv/bin/python benchmarks/sessions.py [ROUNDS]
Two more Odoo servers of the same image on the same database, with two workers each, are
asked in turn, so that a noisy machine hits both; they are removed at the end. Only
this machine's own loopback is used.
"""

import http.client
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMPOSE = ["docker", "compose"]
ONE_BY_ONE = 20  # requests a round, for the times
AT_ONCE = 60  # requests a round from CLIENTS clients, for the rate
CLIENTS = 4
READ = {"model": "res.users", "method": "read", "args": [[2], ["login"]], "kwargs": {}}


def run(*argv: str) -> str:
    """The output of a command, which has to succeed."""
    return subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True).stdout


class Server:
    """One more Odoo, and a session on it."""

    def __init__(self, name: str, *options: str) -> None:
        self.name = name
        # Files on tmpfs: faster than on any disk.
        odoo = [
            "odoo",
            "--database=odoo",
            "--data-dir=/tmp/data",
            "--workers=2",
            "--max-cron-threads=0",
            *options,
        ]
        publish = ["--publish", "127.0.0.1::8069"]
        run(*COMPOSE, "run", "-d", "--rm", "--no-deps", "--name", name, *publish, "odoo", *odoo)
        port = run("docker", "port", name, "8069/tcp").split(":")[-1]
        self.port = int(port)
        self.cookie = ""
        self.log_in()

    def log_in(self) -> None:
        """Wait for the server, and keep the cookie of a login."""
        password = (ROOT / "secrets" / "odoo_admin_password.txt").read_text().strip()
        who = {"db": "odoo", "login": "admin", "password": password}
        for _ in range(120):
            try:
                self.call("/web/session/authenticate", who)
                self.call("/web/session/get_session_info", {})
                return
            except (OSError, http.client.HTTPException):
                time.sleep(0.5)
        raise SystemExit(f"{self.name} does not answer")

    def call(self, path: str, params: Mapping[str, object]) -> float:
        """The seconds that one JSON-RPC call takes."""
        started = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Content-Type": "application/json", "Cookie": self.cookie}
        connection.request("POST", path, json.dumps({"params": params}), headers)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        connection.close()
        if "error" in body:
            raise SystemExit(f"{self.name}: {body['error']['message']}")
        if given := answer.getheader("Set-Cookie"):
            self.cookie = given.split(";")[0]
        return time.perf_counter() - started

    def read(self, _: int = 0) -> float:
        """The call that is measured."""
        return self.call("/web/dataset/call_kw/res.users/read", READ)

    def times(self) -> list[float]:
        """Seconds of each of many calls, one after the other."""
        return [self.read() for _ in range(ONE_BY_ONE)]

    def rate(self) -> float:
        """Calls a second from a few clients at once."""
        started = time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(self.read, range(AT_ONCE)))
        return AT_ONCE / (time.perf_counter() - started)


def redis(*command: str) -> dict[str, str]:
    """INFO of Redis."""
    text = run(*COMPOSE, "exec", "-T", "redis", "sh", "/etc/platform/cli", *command)
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def traffic(server: Server) -> str:
    """What one call sends to Redis and back."""
    names = ("total_commands_processed", "total_net_input_bytes", "total_net_output_bytes")
    before, idle = redis("info", "stats"), redis("info", "stats")
    server.times()
    after = redis("info", "stats")
    # Asking costs something itself: what two questions in a row differ by.
    totals = [
        (int(after[n]) - int(idle[n]) - (int(idle[n]) - int(before[n]))) / ONE_BY_ONE for n in names
    ]
    return f"{totals[0]:.2f} commands, {totals[1]:.0f} bytes to Redis, {totals[2]:.0f} bytes back"


def cpu(container: str) -> float:
    """Seconds of processor that a container has had; less noisy than a clock."""
    read = "sed -n 's/usage_usec //p' cpu.stat; sed 's/...$//' cpuacct/cpuacct.usage"
    both = f"({read}) 2>/dev/null; true"  # of the engine's two versions of cgroups
    text = run("docker", "exec", "-w", "/sys/fs/cgroup", container, "sh", "-c", both)
    return float(text.split()[0]) / 1e6


def percentile(values: list[float], share: int) -> float:
    """Milliseconds."""
    return statistics.quantiles(values, n=100)[share - 1] * 1000


def compare(servers: list[Server], rounds: int) -> None:
    """Print the table and the medians of the pairwise ratios."""
    seconds: list[list[float]] = [[], []]
    rates: list[list[float]] = [[], []]
    containers = [server.name for server in servers] + [run(*COMPOSE, "ps", "-q", "redis").strip()]
    before = [cpu(container) for container in containers]
    for number in range(rounds):
        for at in (0, 1) if number % 2 == 0 else (1, 0):
            seconds[at] += servers[at].times()
            rates[at].append(servers[at].rate())
    for at, name in enumerate(("files", "Redis")):
        p50, p99 = percentile(seconds[at], 50), percentile(seconds[at], 99)
        rate = statistics.median(rates[at])
        print(
            f"sessions in {name:6} {rate:7.1f} requests/s   p50 {p50:6.2f} ms   p99 {p99:6.2f} ms"
        )
    calls = rounds * (ONE_BY_ONE + AT_ONCE)
    used = [(cpu(name) - was) / calls * 1000 for name, was in zip(containers, before, strict=True)]
    both = f"{used[1]:.2f} ms and {used[2]:.2f} ms of Redis itself"
    print(f"processor a request: with files {used[0]:.2f} ms, with Redis {both}")
    ratios = [b / a for a, b in zip(*rates, strict=True)]
    print(f"requests/s, Redis / files (median of {rounds} pairs): {statistics.median(ratios):.3f}")
    print(f"a request: {traffic(servers[1])}")


def main() -> None:
    """Start both servers, compare them, remove them."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    project = json.loads(run(*COMPOSE, "config", "--format", "json"))["name"]
    names = [f"{project}-bench-files", f"{project}-bench-redis"]
    default = run(
        *COMPOSE, "exec", "-T", "odoo", "cat", "/usr/local/share/platform/server_wide_modules"
    )
    versions = run(*COMPOSE, "exec", "-T", "odoo", "odoo", "--version").strip()
    print(f"{versions}, Redis {redis('info', 'server')['redis_version'].strip()}")
    try:
        files = Server(names[0], f"--load={default.strip()}")
        compare([files, Server(names[1])], rounds)
    finally:
        subprocess.run(["docker", "rm", "--force", *names], capture_output=True, check=False)


main()
