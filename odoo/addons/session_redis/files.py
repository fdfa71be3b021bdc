"""Moves the sessions that Odoo kept in files into Redis. Knows nothing of Odoo."""

import fcntl
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from redis import Redis

LIFETIME = 7 * 86400  # http.SESSION_LIFETIME of Odoo 18 and 19
_LEAST = 86400  # what a file that was about to expire still gets: nobody is logged out
_BATCH = 200
_NAME = re.compile(r"[A-Za-z0-9_-]{84}")
_IDENTIFIER = 42


def move(folder: Path, client: Redis, prefix: str, anonymous_lifetime: int) -> int:
    """Move all, returns how many. Safe to repeat, to interrupt, and to run beside itself.

    A file goes when Redis has its session; what is in Redis already is newer and stays.
    """
    if not folder.is_dir():
        return 0
    with (folder / ".moving").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # let go by the kernel, however this ends
        moved = 0
        for batch in _batches(folder):
            pipe = client.pipeline(transaction=True)
            for path, data in batch:
                if data:
                    key = prefix + path.name[:_IDENTIFIER]
                    pipe.hsetnx(key, path.name[_IDENTIFIER:], json.dumps(data))
                    pipe.expire(key, _remaining(path, data, anonymous_lifetime), nx=True)
            pipe.execute()
            for path, data in batch:
                path.unlink(missing_ok=True)
                moved += bool(data)
    return moved


def _batches(folder: Path) -> Iterator[list[tuple[Path, dict[str, Any]]]]:
    batch = []
    for path in sorted(folder.glob("??/*")):
        if _NAME.fullmatch(path.name) and path.is_file():
            batch.append((path, _read(path)))
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}  # Odoo as well takes a broken file for no session
    return data if isinstance(data, dict) else {}


def _remaining(path: Path, data: dict[str, Any], anonymous_lifetime: int) -> int:
    try:
        age = time.time() - path.stat().st_mtime
    except FileNotFoundError:  # moved by somebody beside us, who had the same content
        age = 0
    lifetime = LIFETIME if data.get("uid") else min(LIFETIME, anonymous_lifetime)
    return int(max(lifetime - age, _LEAST if data.get("uid") else 60))
