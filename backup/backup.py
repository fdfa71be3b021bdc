#!/usr/bin/env python3
"""The program of the services `backup` and `restore`; `inv backup` runs it.

By hand: docker compose run --rm backup create|list|check   (see --help for all)
Results are JSON on standard output; the last line of standard error is the reason of a
failure. Exit codes: 0 done, 1 failed. Edit by hand freely: the folder is mounted.
"""

import argparse
import base64
import json
import os
import re
import signal
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

sys.dont_write_bytecode = True  # the folder is mounted read-only

import create  # noqa: E402
import export  # noqa: E402
import filestore_check  # noqa: E402
import keys  # noqa: E402
import owner  # noqa: E402
import restic  # noqa: E402
import restore  # noqa: E402
from common import Failure, printable  # noqa: E402

import postgres  # noqa: E402

# What whoever comes second is told of the first; the others are parts of a restore.
_SPOKEN = {"create": "inv backup", "forget": "inv backup.prune", "check": "inv backup.check"}
# Into the repository, of which only root and its owner may read what is new.
_WRITING = (*_SPOKEN, "key-add", "key-undo", "key-finish")


def _list(_: argparse.Namespace) -> Any:
    restic.ready()
    return [asdict(known) for known in restic.sets()]


def _show(given: argparse.Namespace) -> Any:
    chosen = restic.find(given.id)
    return {**restic.manifest(chosen), "stored": asdict(chosen)}


def _create(given: argparse.Namespace) -> Any:
    configuration = json.load(sys.stdin) if given.configuration else {}
    made = create.create(given.database, configuration, existing=given.existing)
    if lost := made.manifest["files"]["lost"]:  # by plain Compose nobody reads the manifest
        said = f"warning: {len(lost)} attachments have no whole file in this backup"
        print(said, file=sys.stderr, flush=True)
    return {**made.manifest, **({"handle": restore.handle(*made)} if given.handle else {})}


def _configuration(given: argparse.Namespace) -> Any:
    chosen = restic.find(given.id)
    found = json.dumps(restic.manifest(chosen, whole=True).get("configuration", {}))
    # Encoded, for who takes known secrets out of what programs print would take them out of it.
    return {"id": chosen.id, "configuration": base64.b64encode(found.encode()).decode()}


def _check(given: argparse.Namespace) -> Any:
    restic.ready()
    postgres.prepare()
    with postgres.exclusive():
        restic.unlock()
        restic.run("check", *(["--read-data"] if given.data else []))
    return {"backups": len(restic.sets())}


def _forget(given: argparse.Namespace) -> Any:
    """Forget whole sets, and what runs that died left; then free the room they took."""
    restic.ready()
    postgres.prepare()
    with postgres.exclusive():
        restic.unlock()
        snapshots = restic.snapshots()
        known = {s.id: s for s in restic.sets(snapshots)}
        kept = {
            i for name, s in known.items() if name not in given.id for i in s.snapshots.values()
        }
        named = {i for s in known.values() for i in s.snapshots.values()} - kept
        doomed = [
            s["id"]
            for s in snapshots
            if s["id"] in named or (s["id"] not in kept and _is_left_over(s))
        ]
        if known and not kept:
            raise Failure("that would take the last backup too", "Nothing was changed.")
        if doomed:
            restic.run("forget", "--prune", *doomed)
        else:
            restic.run("prune")  # a run that was killed may have saved data without a snapshot
    return {"forgotten": [name for name in given.id if name in known], "snapshots": len(doomed)}


def _is_left_over(snapshot: dict[str, Any]) -> bool:
    """Part of no set, and of a run of this installation: another's may be on its way."""
    tagged = any(tag.startswith("set=") for tag in snapshot.get("tags") or [])
    return tagged and (snapshot.get("hostname") == os.uname().nodename or _is_of_old(snapshot))


def _is_of_old(snapshot: dict[str, Any]) -> bool:
    """Of a run by hand (Docker names its host) that cannot be on its way any more."""
    by_hand = re.fullmatch(r"[0-9a-f]{12}", snapshot.get("hostname") or "")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    return bool(by_hand) and snapshot["time"][:19] < yesterday.isoformat()[:19]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="backup", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")

    def add(name: str, run: Any, *arguments: tuple[str, dict[str, Any]]) -> None:
        command = commands.add_parser(name)
        command.set_defaults(run=run)
        for flag, options in arguments:
            command.add_argument(flag, **options)

    database = ("--database", {"default": os.environ.get("ODOO_DATABASE", "odoo")})
    identity = ("id", {"nargs": "?", "default": "latest"})
    given = {"action": "store_true", "help": "is given as JSON by standard input"}
    existing = ("--existing", {"action": "store_true"})
    handle = ("--handle", {"action": "store_true", "help": "add what `stage --handle` takes"})
    add("create", _create, database, existing, handle, ("--configuration", given))
    add("list", _list)
    add("show", _show, identity)
    add("configuration", _configuration, identity)
    add("check", _check, ("--data", {"action": "store_true"}))
    add("forget", _forget, ("id", {"nargs": "*"}))
    add("export", lambda given: export.export(given.id, given.plain, given.zip), identity,
        ("--plain", {"default": ""}), ("--zip", {"default": ""}))  # fmt: skip
    add("files", lambda given: filestore_check.check(given.database, data=given.data), database,
        ("--data", {"action": "store_true"}))  # fmt: skip
    add("exists", lambda _: keys.exists())
    add("key-add", lambda _: keys.add())  # these three: inv secrets.rotate
    add("key-undo", lambda _: keys.undo())
    add("key-finish", lambda _: keys.finish())
    restore.add_commands(add, identity, given)
    return parser


def _run(given: argparse.Namespace) -> Any:
    try:
        return given.run(given)
    finally:
        if given.command in _WRITING:
            owner.give()


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("error: interrupted"))
    given = _parser().parse_args()
    postgres.doing = _SPOKEN.get(given.command, "inv restore")
    try:
        print(json.dumps(_run(given), sort_keys=True), flush=True)
    except Failure as error:
        sys.exit(error.shown)
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit("error: interrupted")
    except postgres.psycopg2.Error as error:
        said = (str(error).strip() or "it went away").splitlines()[0]
        sys.exit(f"error: PostgreSQL: {printable(said)}")
    except OSError as error:
        sys.exit(f"error: {error.filename or 'the system'}: {error.strerror}")


if __name__ == "__main__":
    main()
