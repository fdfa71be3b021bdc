"""The program of the services `odoo_modules` and `odoo_rehearsal`; `inv module.…` runs it.

By hand: docker compose run --rm odoo_modules list   (see --help for all)
Answers are JSON, a line each, on standard output; the last line of standard error is the
reason of a failure. `change` asks after its plan for the line `go`, and after its work for
the line `keep`; any other line, and the end of standard input, undoes the change.
Exit codes: 0 done, 1 failed. Edit by hand freely: the folder is mounted.
"""

import argparse
import os
import sys
from typing import Any

import psycopg2
from odoo_user import become_odoo

from toolbox.contract.changes import ChangeRequest, Step
from toolbox.contract.codec import plain, to_json
from toolbox.contract.messages import ERROR, HINT
from toolbox.core.errors import Failure
from toolbox.core.text import printable
from toolbox.modules import change, listing, module_tests, rehearsal, snapshots
from toolbox.modules.protocol import Host, raise_on_sigterm


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _request(given: argparse.Namespace) -> ChangeRequest:
    return ChangeRequest(
        database=given.database,
        install=_names(given.install),
        update=_names(given.update),
        uninstall=_names(given.uninstall),
        changed=given.changed,
        snapshot=not given.no_snapshot,
        patience=given.max_lock_wait,
        keep=given.keep,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="modules", description=__doc__)
    parser.add_argument("--database", default=os.environ.get("ODOO_DATABASE", "odoo"))
    commands = parser.add_subparsers(required=True)

    def add(name: str, run: Any, *arguments: tuple[str, dict[str, Any]]) -> None:
        command = commands.add_parser(name)
        command.set_defaults(run=run)
        for flag, options in arguments:
            command.add_argument(flag, **options)

    request: tuple[tuple[str, dict[str, Any]], ...] = (
        *((f"--{flag}", {"default": ""}) for flag in ("install", "update", "uninstall")),
        *((f"--{flag}", {"action": "store_true"}) for flag in ("changed", "no-snapshot")),
        ("--max-lock-wait", {"type": int, "default": 60}),
        ("--keep", {"type": int, "default": 3}),
    )
    add("list", lambda given: listing.listed(given.database))
    add("change", lambda given: change.change(_request(given), Host()), *request)
    add("rehearse", lambda given: rehearsal.rehearse(_request(given), Host()), *request)
    add("test", lambda given: module_tests.run(given.database, given.name), ("name", {}))
    add("snapshots", lambda given: snapshots.list_of(given.database))
    add(
        "prune",
        lambda given: snapshots.prune_exclusively(given.database, given.keep),
        ("--keep", {"type": int, "default": 3}),
    )
    add(
        "rollback",
        lambda given: change.roll_back(given.database, given.name, Host()),
        ("name", {"nargs": "?", "default": ""}),
    )
    add("recover", lambda given: change.recover(given.database))
    return parser


def _reason(error: BaseException) -> str:
    if isinstance(error, Failure):
        # Lines of Odoo's log follow the first: they are shown as they are.
        hint = f"{HINT}{error.hint}\n" if error.hint else ""
        return f"{hint}{ERROR}{error.message}"
    if isinstance(error, psycopg2.Error):
        reason = (str(error).strip() or "the connection was lost").splitlines()[0]
        return f"{ERROR}PostgreSQL: {printable(reason)}"
    if isinstance(error, OSError):
        return f"{ERROR}{error.filename or 'the system'}: {error.strerror}"
    return f"{ERROR}interrupted"


def main() -> None:
    given = _parser().parse_args()
    raise_on_sigterm()
    become_odoo()
    os.umask(0o022)  # Nginx reads the filestore
    try:
        snapshots.require_name(given.database)
        print(to_json({"step": Step.RESULT, "result": plain(given.run(given))}), flush=True)
    except (Failure, psycopg2.Error, OSError, KeyboardInterrupt) as error:
        sys.exit(_reason(error))


if __name__ == "__main__":
    main()
