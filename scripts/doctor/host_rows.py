"""The machine: kernel settings, names, time."""

import secrets
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from scripts.core.checks import Finding
from scripts.core.errors import OpsError
from scripts.core.process import Runner
from scripts.doctor.engine_rows import Seen
from scripts.doctor.rows import Question, ok, warning
from scripts.stack.compose import Stack

GROUP: Final = "Host"
_BACKLOG: Final = 511  # of Redis
_DNS_PORT: Final = 53
_DNS_SECONDS: Final = 2.0
_RESOLV_CONF: Final = Path("/etc/resolv.conf")
_MEMORY: Final = "/proc/sys/vm/overcommit_memory"
_PAGES: Final = "/sys/kernel/mm/transparent_hugepage/enabled"
_SOCKETS: Final = "/proc/sys/net/core/somaxconn"

Read = Callable[[str], str | None]


def questions(stack: Stack, seen: Seen) -> list[Question]:
    """Those about the kernel that runs the containers, and about this machine."""
    read = _reader(stack, seen)
    where = "the engine is in a virtual machine, and Redis does not run there to be asked"
    return [
        Question(GROUP, "Memory overcommit", lambda: _overcommit(read), where),
        Question(GROUP, "Huge pages", lambda: _huge_pages(read), where),
        Question(GROUP, "Connection backlog", lambda: _backlog(read), where),
        Question(GROUP, "Resolver", lambda: resolver(), "/etc/resolv.conf names no server"),
        Question(GROUP, "Names in containers", lambda: _inside(stack), "Odoo does not run"),
        Question(GROUP, "Time", lambda: _synchronised(stack.runner), "timedatectl does not tell"),
    ]


def _reader(stack: Stack, seen: Seen) -> Read:
    """Reads a setting of the kernel under the containers; None where it cannot be seen."""
    local = seen.engine is None or seen.engine.data_root.is_dir()

    def read(path: str) -> str | None:
        if local:
            try:
                return Path(path).read_text().strip()
            except OSError:
                return None
        done = stack.exec("redis", "cat", path)
        return done.stdout.strip() if done.ok else None

    return read


def _overcommit(read: Read) -> Finding | None:
    value = read(_MEMORY)
    if value == "0":
        said = "vm.overcommit_memory is 0: Redis may fail to rewrite its file under low memory"
        return warning(said, _persistent("vm.overcommit_memory=1"))
    return ok(f"vm.overcommit_memory = {value}") if value else None


def _huge_pages(read: Read) -> Finding | None:
    value = read(_PAGES)
    if value is None:
        return None
    if "[always]" in value:
        said = "transparent huge pages are always on: Redis and PostgreSQL have pauses by them"
        hint = f"echo madvise | sudo tee {_PAGES} (at boot: transparent_hugepage=madvise)"
        return warning(said, hint)
    return ok(value)


def _backlog(read: Read) -> Finding | None:
    value = read(_SOCKETS) or ""
    if not value.isdecimal():
        return None
    if int(value) < _BACKLOG:
        said = f"net.core.somaxconn is {value}, below the {_BACKLOG} of Redis"
        return warning(said, _persistent("net.core.somaxconn=4096"))
    return ok(f"net.core.somaxconn = {value}")


def _persistent(setting: str) -> str:
    return f"echo {setting} | sudo tee -a /etc/sysctl.d/90-platform.conf && sudo sysctl --system"


def resolver(conf: Path = _RESOLV_CONF) -> Finding | None:
    """Whether a name server answers at all: it need not know anybody, nor the internet."""
    try:
        lines = conf.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    words = [line.split() for line in lines if line.startswith("nameserver")]
    servers = [found[1] for found in words if len(found) > 1]
    if not servers:
        return None
    if answering := next((server for server in servers if _answers(server)), ""):
        return ok(answering)
    said = f"no name server answers ({', '.join(servers)}): mail and certificates will fail"
    return warning(said, f"Correct {conf}, or the network.")


def _answers(server: str) -> bool:
    number = secrets.token_bytes(2)
    # Recursion desired, one question: A of localhost.
    question = b"\x09localhost\x00" + struct.pack(">HH", 1, 1)
    packet = number + struct.pack(">HHHHH", 0x0100, 1, 0, 0, 0) + question
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asked:
            asked.settimeout(_DNS_SECONDS)
            asked.connect((server, _DNS_PORT))
            asked.send(packet)
            return asked.recv(512)[:2] == number
    except OSError:
        return False


def _inside(stack: Stack) -> Finding | None:
    try:
        done = stack.exec("odoo", "getent", "hosts", "odoo_db")
    except OpsError:
        return None
    if done.ok:
        return ok()
    if done.stderr.strip():  # it is not running, or is not this platform's
        return None
    return warning("Odoo's container cannot resolve odoo_db", "inv restart; see: inv logs odoo")


def _synchronised(runner: Runner) -> Finding | None:
    argv = ["timedatectl", "show", "--property", "NTPSynchronized", "--value"]
    try:
        done = runner.run(argv, timeout=10, check=False)
    except OpsError:
        return None
    if done.stdout.strip() == "no":
        hint = "sudo timedatectl set-ntp true"
        return warning(
            "the clock is not synchronised: certificates and two-factor logins fail", hint
        )
    return ok() if done.stdout.strip() == "yes" else None
