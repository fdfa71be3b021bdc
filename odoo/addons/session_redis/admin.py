"""What an operator asks of the sessions, as JSON. Run as a program, without Odoo.

python3 admin.py list | count LOGIN | revoke LOGIN | import | take --sid=ID
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import files  # beside this file, as settings is
import psycopg2
import redis
from settings import IDENTIFIER_LENGTH, Settings, SettingsError, memory, reason

_COUNT = 1000  # keys that one SCAN looks at; Redis answers others in between


def sessions(client: Any, prefix: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Every identifier, once, and the sessions under it: more than one while it is rotated."""
    cursor, seen = 0, set()
    # On a Redis that others use too, a key of theirs may begin like ours.
    ours = prefix + IDENTIFIER_LENGTH * "?"
    while True:
        cursor, keys = client.scan(cursor, match=ours, count=_COUNT, _type="hash")
        keys = [key for key in keys if key not in seen]
        seen.update(keys)
        pipe = client.pipeline(transaction=False)
        for key in keys:
            pipe.hvals(key)
        for key, values in zip(keys, pipe.execute(), strict=True):
            found = [data for value in values if (data := _decode(value))]
            if found:
                yield key.removeprefix(prefix), found
        if not cursor:
            return


def _decode(value: str) -> dict[str, Any]:
    """A session, {} where Redis holds something else."""
    try:
        data = json.loads(value)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def summary(client: Any, prefix: str) -> dict[str, Any]:
    """How many sessions there are, by user and age."""
    now = time.time()
    users: dict[str, dict[str, Any]] = {}
    for _, found in sessions(client, prefix):
        data = max(found, key=lambda each: ("next_sid" not in each, bool(each.get("uid"))))
        trace = data.get("_trace") or []
        began = min([t["first_activity"] for t in trace] or [data.get("create_time") or now])
        seen = max([t["last_activity"] for t in trace] + [data.get("create_time") or began])
        login = data.get("login") if data.get("uid") else ""
        row = users.setdefault(
            login or "", {"sessions": 0, "hour": 0, "day": 0, "older": 0, "seen": 0}
        )
        age = now - began
        row["sessions"] += 1
        row["hour" if age < 3600 else "day" if age < 86400 else "older"] += 1
        row["seen"] = max(row["seen"], seen)
    said = memory(client)
    rows = [{"login": login, **row} for login, row in sorted(users.items())]
    for row in rows:
        row["idle"] = max(0, int(now - row.pop("seen")))
    used, most = (said.get(name, 0) for name in ("used_memory", "maxmemory"))
    return {"users": rows, "memory": used, "maxmemory": most}


def count(client: Any, prefix: str, login: str) -> dict[str, Any]:
    """How many sessions `login` has, and whether there is such a user."""
    database = os.environ.get("ODOO_DATABASE", "odoo")
    with psycopg2.connect(dbname=database, connect_timeout=5) as connection:
        known = _is_user(connection.cursor(), login)
    return {"sessions": len(_theirs(client, prefix, login, database)), "known": known}


def _is_user(cursor: Any, login: str) -> bool:
    cursor.execute("SELECT 1 FROM res_users WHERE login = %s", (login,))
    return cursor.fetchone() is not None


def _theirs(client: Any, prefix: str, login: str, database: str) -> list[str]:
    """The identifiers of the sessions of `login`."""
    return [
        identifier
        for identifier, found in sessions(client, prefix)
        if any(_belongs(data, login, database) for data in found)
    ]


def revoke(client: Any, prefix: str, login: str) -> dict[str, Any]:
    """Log `login` out everywhere, also in the list of devices of that user."""
    database = os.environ.get("ODOO_DATABASE", "odoo")
    with psycopg2.connect(dbname=database, connect_timeout=5) as connection:
        cursor = connection.cursor()
        known = _is_user(cursor, login)
        theirs = _theirs(client, prefix, login, database)
        for identifier in theirs:
            client.unlink(prefix + identifier)
        update = "UPDATE res_device_log SET revoked = true WHERE session_identifier = ANY(%s)"
        cursor.execute(update, (theirs,))
    return {"revoked": len(theirs), "known": known}


def _belongs(data: dict[str, Any], login: str, database: str) -> bool:
    return bool(data.get("uid")) and data.get("login") == login and data.get("db") == database


def main(command: str, *arguments: str) -> dict[str, Any]:
    """Carry out one command."""
    settings = Settings.load(os.environ.get("ODOO_RC", ""), os.environ)
    client = settings.client()
    if command == "list":
        return summary(client, settings.prefix)
    if command == "count":
        return count(client, settings.prefix, *arguments)
    if command == "revoke":
        return revoke(client, settings.prefix, *arguments)
    if command == "import":
        folder = Path("/var/lib/odoo/sessions")
        moved = files.move(folder, client, settings.prefix, settings.anonymous_lifetime)
        return {"moved": moved}
    if command == "take":  # finds a session that nobody needs, and leaves nothing behind
        return {"found": client.unlink(settings.key(arguments[0].removeprefix("--sid=")))}
    raise SettingsError(f"there is no command {command!r}")


if __name__ == "__main__":
    try:
        sys.stdout.write(json.dumps(main(*sys.argv[1:])) + "\n")
    except (SettingsError, redis.RedisError, psycopg2.Error, OSError) as problem:
        sys.exit(f"session_redis: {reason(problem)}")
