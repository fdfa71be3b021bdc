"""Faults of a running platform for `inv health`, each undone at the end of its block."""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.support.checkout import Checkout

_LIMITS: Final = "scripts/health/limits.py"
_HELD: Final = """
import psycopg2, sys, time
held = [psycopg2.connect(dbname="odoo") for _ in range(int(sys.argv[1]))]
for query in sys.argv[2:]:
    held[0].cursor().execute(query)
print("held", flush=True)
sys.stdin.read()
"""

# In a container's namespace, with this machine's Python: most images have no `mount`.
_MOUNT: Final = """
import ctypes, os, sys
pid, source, target = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
namespace = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
done = libc.setns(namespace, 0x20000)
if source:
    done = done or libc.mount(source.encode(), target.encode(), None, 4096, None)
else:
    done = done or libc.umount2(target.encode(), 2)
sys.exit(os.strerror(ctypes.get_errno()) if done else 0)
"""


@contextmanager
def limits(platform: Checkout, *, file: str = _LIMITS, **values: str) -> Iterator[None]:
    """Have the clone's own limits be `values`: a day need not be waited for."""
    path = platform.root / file
    before = path.read_text()
    text = before
    for name, value in values.items():
        text, count = re.subn(rf"^{name}: Final = .*$", f"{name} = {value}", text, flags=re.M)
        assert count == 1, name
    try:
        path.write_text(text)
        yield
    finally:
        path.write_text(before)


@contextmanager
def sql(platform: Checkout, do: str, undo: str) -> Iterator[None]:
    """What `do` has done, while the block runs."""
    platform.sql(do)
    try:
        yield
    finally:
        platform.sql(undo)


@contextmanager
def sessions(platform: Checkout, count: int, *queries: str) -> Iterator[None]:
    """So many sessions, the first of which has run `queries` and not ended its transaction."""
    argv = ["docker", "exec", "-i", "--user", "odoo", f"{platform.project}-odoo-1"]
    started = subprocess.Popen(
        [*argv, "python3", "-c", _HELD, str(count), *queries],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdout and started.stdin
    try:
        assert started.stdout.readline() == "held\n"
        yield
    finally:
        started.stdin.close()
        started.wait(30)
        started.stdout.close()


@contextmanager
def waiting_session(platform: Checkout, query: str) -> Iterator[None]:
    """A session that waits with `query` for somebody's lock."""
    argv = ["docker", "exec", f"{platform.project}-odoo_db-1", "psql", "-U", "odoo", "-c", query]
    started = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        ended = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        )
        platform.sql(ended)
        started.wait(30)


@contextmanager
def over(platform: Checkout, services: list[str], program: str, script: str) -> Iterator[None]:
    """`script` in the place of `program` in the containers of `services`."""
    # In a folder that is mounted there, as a container's own file system is read-only.
    places = {"nginx": "/etc/nginx/fake", "odoo": "/etc/odoo/fake", "redis": "/etc/platform/fake"}
    folders = {"nginx": "nginx", "odoo": "odoo", "redis": "redis"}
    written: list[Path] = []
    mounted: list[list[str]] = []
    try:
        for service in services:
            mine = platform.root / folders[service] / "fake"
            mine.write_text(script)
            mine.chmod(0o755)
            written.append(mine)
            pid = str(platform.pid(service))
            inside = [sys.executable, "-c", _MOUNT, pid]
            done = platform.run(*inside, places[service], program)
            if done.returncode:
                pytest.skip(f"needs root on this machine: {done.stderr}")
            mounted.append([*inside, "", program])
        yield
    finally:
        for undo in mounted:
            assert platform.run(*undo).returncode == 0
        for path in written:
            path.unlink()


@contextmanager
def without_bundle(platform: Checkout) -> Iterator[None]:
    """The file of a style sheet of the login page is gone from the filestore."""
    found = platform.sql(
        "SELECT store_fname FROM ir_attachment WHERE url LIKE '%web.assets_frontend.min.css'"
        " ORDER BY id DESC LIMIT 1"
    )
    path = f"/var/lib/odoo/filestore/odoo/{found}"
    assert platform.exec("odoo", "mv", path, f"{path}.away", user="odoo").returncode == 0
    try:
        yield
    finally:
        assert platform.exec("odoo", "mv", f"{path}.away", path, user="odoo").returncode == 0


@contextmanager
def edited(platform: Checkout, name: str, old: str, new: str) -> Iterator[None]:
    """A file of Nginx's in which `old` is `new`."""
    path = platform.root / name
    before = path.read_text()
    assert old in before
    reload = ["nginx", "-s", "reload"]
    try:
        path.write_text(before.replace(old, new))
        assert platform.exec("nginx", *reload).returncode == 0
        yield
    finally:
        path.write_text(before)
        assert platform.exec("nginx", *reload).returncode == 0


@contextmanager
def last_backup(platform: Checkout, name: str, lost: int) -> Iterator[None]:
    """As if the last backup had been `name`, without `lost` files."""
    path = platform.root / ".state" / "last-backup.json"
    path.write_text(json.dumps({"id": name, "lost": lost}))
    try:
        yield
    finally:
        path.unlink()


@contextmanager
def repository_gone(platform: Checkout) -> Iterator[None]:
    """As if a backup had been made into the folder of backups, in which there is nothing now."""
    folder = str((platform.root / "backups").resolve())
    path = platform.root / ".state" / "backup-repository"
    path.write_text(hashlib.sha256(folder.encode()).hexdigest() + "\n")
    try:
        yield
    finally:
        path.unlink()


@contextmanager
def setting(platform: Checkout, line: str) -> Iterator[None]:
    """One line more in `.env`."""
    path = platform.root / ".env"
    before = path.read_text()
    path.write_text(f"{before}\n{line}\n")
    try:
        yield
    finally:
        path.write_text(before)


@contextmanager
def out_of_memory(platform: Checkout) -> Iterator[None]:
    """A process of Redis's container was killed for want of memory; it is made again afterwards."""
    assert platform.exec("redis", "tail", "/dev/zero").returncode == 137
    try:
        yield
    finally:
        made = platform.compose("up", "--detach", "--no-deps", "--force-recreate", "redis")
        assert made.returncode == 0, made.stderr
