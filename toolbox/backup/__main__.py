"""The program of the services `backup` and `restore`; `inv backup` runs it.

By hand: docker compose run --rm backup create|list|check   (see --help for all)
Results are JSON on standard output; the last line of standard error is the reason of a
failure. Exit codes: 0 done, 1 failed. Edit by hand freely: the folder is mounted.
"""

import argparse
import base64
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from toolbox.backup import (
    create,
    export,
    filestore_check,
    inventory,
    keys,
    owner,
    page,
    pruning,
    restic,
    restore,
    swap,
)
from toolbox.contract.backups import (
    CheckResult,
    CreatedBackup,
    Manifest,
    SavedConfiguration,
    ShownBackup,
    StoredBackup,
)
from toolbox.core import filestore, postgres, program

# Into the repository, of which only root and its owner may read what is new.
_WRITING = ("create", "forget", "check", "key-add", "key-undo", "key-finish")


def _list(_: argparse.Namespace) -> list[StoredBackup]:
    restic.require_key()
    return restic.sets()


def _show(given: argparse.Namespace) -> ShownBackup:
    chosen = restic.find(given.id)
    return ShownBackup(**vars(restic.manifest(chosen)), stored=chosen)


def _create(given: argparse.Namespace) -> Manifest:
    configuration = json.load(sys.stdin) if given.configuration else {}
    made = create.create(given.database, configuration, existing=given.existing)
    if lost := made.manifest.files.lost:  # a user of plain Compose does not read the manifest
        said = f"warning: {len(lost)} attachments have no whole file in this backup"
        print(said, file=sys.stderr, flush=True)
    if not given.handle:
        return made.manifest
    return CreatedBackup(**vars(made.manifest), handle=restore.handle(*made))


def _configuration(given: argparse.Namespace) -> SavedConfiguration:
    chosen = restic.find(given.id)
    found = json.dumps(restic.configuration(chosen))
    # Encoded: `inv` masks known secrets in what programs print, and would mask them here.
    return SavedConfiguration(id=chosen.id, configuration=base64.b64encode(found.encode()).decode())


def _check(given: argparse.Namespace) -> CheckResult:
    restic.require_key()
    postgres.prepare()
    with postgres.advisory_lock("inv backup.check"):
        restic.unlock()
        restic.run("check", *(["--read-data"] if given.data else []))
    return CheckResult(backups=len(restic.sets()))


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
    add("forget", lambda given: pruning.forget(given.id), ("id", {"nargs": "*"}))
    add(
        "export",
        lambda given: export.export(given.id, given.plain, given.zip),
        identity,
        ("--plain", {"default": ""}),
        ("--zip", {"default": ""}),
    )
    add(
        "files",
        lambda given: filestore_check.check(given.database, data=given.data),
        database,
        ("--data", {"action": "store_true"}),
    )
    add("exists", lambda _: keys.exists())
    add("key-add", lambda _: keys.add())  # these three: inv secrets.rotate
    add("key-undo", lambda _: keys.undo())
    add("key-finish", lambda _: keys.finish())
    _add_restore(add, identity, given)
    return parser


def _add_restore(
    add: Callable[..., None], identity: tuple[str, dict[str, Any]], given: dict[str, Any]
) -> None:
    """The commands of the service `restore`."""
    name: tuple[str, dict[str, Any]] = ("name", {})
    live = ("--live", {"default": ""})
    data = ("--data", {"default": str(filestore.DATA)})
    odoo = ("--odoo", {"default": ""})
    add("offer", lambda given: restore.offer(given.id), identity)
    add(
        "stage",
        lambda given: restore.stage(
            *(restore.read_handle() if given.handle else restore.find(given.id)),
            given.name,
            given.live,
            Path(given.data),
            given.odoo,
        ),
        ("id", {}),
        name,
        live,
        data,
        odoo,
        ("--handle", given),
    )
    add(
        "stage-file",
        lambda given: restore.stage_file(Path(given.file), given.name, given.live, given.odoo),
        ("file", {}),
        name,
        live,
        odoo,
    )
    add(
        "swap",
        lambda given: swap.exclusively(lambda: swap.swap(given.name, scan=given.scan)),
        name,
        ("--scan", {"action": "store_true"}),
    )
    add("back", lambda given: swap.exclusively(lambda: swap.undo(given.name)), name)
    add(
        "discard",
        lambda given: swap.exclusively(lambda: swap.discard(given.name, Path(given.data))),
        name,
        data,
    )
    add("inventory", lambda _: inventory.all_of_them())
    add("drop", lambda given: swap.exclusively(lambda: inventory.drop(given.name)), name)
    add(
        "stage-copy",
        lambda given: inventory.stage_copy(given.source, given.name),
        ("source", {}),
        name,
    )
    add("databases", lambda _: swap.exclusively(swap.present))
    add("page", lambda _: page.show())
    add("scan", lambda given: swap.exclusively(lambda: swap.scan(given.name)), name)


def _run(given: argparse.Namespace) -> Any:
    try:
        return given.run(given)
    finally:
        if given.command in _WRITING:
            owner.apply()


def main() -> None:
    given = _parser().parse_args()
    program.main(lambda: _run(given))


if __name__ == "__main__":
    main()
