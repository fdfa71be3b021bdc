"""The program of the services `archiver` and `recovery`.

By hand: docker compose run --rm recovery archives
Results are JSON on standard output; the last line of standard error is the reason of a
failure. Exit codes: 0 done, 1 failed. Edit by hand freely: the folder is mounted.
"""

import argparse
import os
from pathlib import Path
from typing import Any

from toolbox.archive import archiver, bases, recovery, status
from toolbox.archive.scratch import Moment
from toolbox.backup.restore import Target
from toolbox.contract.archive import TIME, TRANSACTION
from toolbox.core import filestore, program

_ON = {"1", "true", "yes", "on"}


def _run() -> None:
    if os.environ.get("BACKUP_CONTINUOUS", "").lower() in _ON:
        archiver.Archiver().run()
    archiver.idle()


def _stage(given: argparse.Namespace) -> Any:
    moment = Moment(given.kind, given.at, given.exclusive)
    target = Target(given.name, given.live, Path(given.data))
    return recovery.stage(given.archive, moment, given.database, target, given.odoo)


def _forget(name: str) -> None:
    recovery.open_archives()
    bases.forget(name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="recovery", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    commands.add_parser("run").set_defaults(run=lambda _: _run())
    commands.add_parser("archives").set_defaults(run=lambda _: recovery.open_archives())
    commands.add_parser("status").set_defaults(run=lambda _: status.earlier())
    check = commands.add_parser("check")
    check.add_argument("--data", action="store_true")
    check.set_defaults(run=lambda given: recovery.check(thorough=given.data))
    forget = commands.add_parser("forget")  # in `archiver`: the other may only read
    forget.add_argument("name")
    forget.set_defaults(run=lambda given: _forget(given.name))
    stage = commands.add_parser("stage")
    stage.add_argument("database")
    stage.add_argument("name")
    stage.add_argument("--at", default="")
    stage.add_argument("--kind", default=TIME, choices=(TIME, TRANSACTION))
    stage.add_argument("--exclusive", action="store_true")
    stage.add_argument("--archive", default="")
    stage.add_argument("--live", default="")
    stage.add_argument("--odoo", default="")
    stage.set_defaults(run=_stage)
    discard = commands.add_parser("discard")
    discard.add_argument("name")
    discard.set_defaults(run=lambda given: recovery.discard(given.name, Path(given.data)))
    for command in (stage, discard):
        command.add_argument("--data", default=str(filestore.DATA))
    return parser


if __name__ == "__main__":
    given = _parser().parse_args()
    program.main(lambda: given.run(given))
