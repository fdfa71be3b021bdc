"""`inv restore` and `inv clone`: staged beside what is live, then put in its place."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scripts.backups import cli, service
from scripts.core.errors import OpsError, UsageError
from scripts.core.files import exclusive
from scripts.core.report import Reporter
from scripts.stack import engine, lifecycle
from scripts.stack.compose import Stack

STAGED: Final = "__restoring"  # as backup/restore.py calls them
BEFORE: Final = "__before"
_DATABASE: Final = r"[a-z_][a-z0-9_]{0,49}"  # PostgreSQL takes 63, and a copy has a longer name


@dataclass(frozen=True)
class Restored:
    """What a restore has done."""

    source: str
    database: str
    replaced: bool
    missing_files: int

    @property
    def lines(self) -> list[str]:
        """For people."""
        lines = [f"Restored {self.source} as the database {self.database}"]
        if self.missing_files:
            lines.append(f"warning: {self.missing_files} attachments have no file")
        if self.replaced:
            lines.append(
                f"What was there before is the database {self.database}{BEFORE};"
                " the next restore takes it away. Back to it: inv restore --undo"
            )
        return lines


def restore(
    stack: Stack, reporter: Reporter, source: str, to: str = "", *, neutralize: bool = False
) -> Restored:
    """Bring a backup, a zip of Odoo's or an SQL dump back, as the database `to`.

    By default that is the platform's own. Nothing of it is touched before the backup
    is restored and verified beside it; what was there is put back if Odoo does not
    come up on the restored one.
    """
    name = _name(to or stack.settings.database)
    with exclusive(cli.lock(stack.settings), "restore"):
        _prepare(stack, reporter)
        file = _file(source)
        what = f"the file {file}" if file else _describe(stack, reporter, source)
        _agree(stack, reporter, what, name)
        with _staged(stack, reporter, file or source, name) as manifest:
            if neutralize:
                neutralise(stack, reporter, name + STAGED)
            replaced = _put_in_place(stack, reporter, name)
        missing = int(manifest.get("missing_files", 0))
        return Restored(manifest["id"], name, replaced, missing)


def undo(stack: Stack, reporter: Reporter) -> Restored:
    """Put back what the last restore replaced."""
    name = stack.settings.database
    with exclusive(cli.lock(stack.settings), "restore"):
        _prepare(stack, reporter)
        if name + BEFORE not in databases(stack, reporter):
            raise OpsError("there is nothing to go back to", "See: inv backup.list")
        _agree(stack, reporter, f"the database {name}{BEFORE}", name)
        running = _stop_odoo(stack, reporter)
        service.ask(stack, reporter, service.RESTORE, "back", name)
        lifecycle.up(running, reporter)
        return Restored(name + BEFORE, name, replaced=False, missing_files=0)


def clone(stack: Stack, reporter: Reporter, source: str, to: str) -> Restored:
    """Copy the database `source` as `to`, harmless: it can reach nobody outside.

    The copy has its name, by which it can be served, only after a scan has found no
    mail server, payment provider, webhook or scheduled action that is alive.
    """
    origin, name = _name(source or stack.settings.database), _name(to)
    if name in (origin, stack.settings.database):
        raise UsageError(f"{name!r} is in use: a clone needs a name of its own")
    with exclusive(cli.lock(stack.settings), "clone"):
        _prepare(stack, reporter)
        _agree(stack, reporter, f"a neutralised copy of {origin}", name)
        with reporter.step(f"Backing up {origin}"):
            command = ["create", "--database", origin]
            made = service.ask(stack, reporter, service.MAKE, *command)
        with _staged(stack, reporter, made["id"], name):
            neutralise(stack, reporter, name + STAGED)
            service.ask(stack, reporter, service.RESTORE, "scan", name + STAGED)
            service.ask(stack, reporter, service.RESTORE, "swap", name)
        return Restored(made["id"], name, replaced=False, missing_files=0)


def _name(database: str) -> str:
    if not re.fullmatch(_DATABASE, database) or database.endswith((STAGED, BEFORE)):
        raise UsageError(f"{database!r} cannot be the name of a restored database")
    return database


def _prepare(stack: Stack, reporter: Reporter) -> None:
    engine.probe(stack.runner)
    service.prepare(stack, reporter)
    service.need_database(stack)


def _file(source: str) -> Path | None:
    if not source.endswith((".zip", ".sql")):
        return None
    path = Path(source).expanduser().absolute()
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    return path


def _describe(stack: Stack, reporter: Reporter, source: str) -> str:
    found = cli.show(stack, reporter, source)
    return f"the backup {found['id']} of {found['created']} ({found['database']})"


def databases(stack: Stack, reporter: Reporter) -> list[str]:
    """Those of the server."""
    found: list[str] = service.ask(stack, reporter, service.RESTORE, "databases")
    return found


def _agree(stack: Stack, reporter: Reporter, what: str, name: str) -> None:
    if name not in databases(stack, reporter):
        return
    question = f"This replaces the database {name!r} and its files by {what}. Continue?"
    if not reporter.confirm(question, unattended=False):
        raise OpsError("nothing was restored", "Say yes, or give --yes where nobody can answer.")


@contextmanager
def _staged(
    stack: Stack, reporter: Reporter, source: Path | str, name: str
) -> Iterator[dict[str, Any]]:
    """The backup as a database beside the live one; gone again if the block fails."""
    command, mounts = ["stage", str(source)], {}
    if isinstance(source, Path):
        command, mounts = ["stage-file", f"/in/{source.name}"], {source.parent: "/in:ro"}
    with reporter.step("Restoring and verifying beside what is live"):
        words = [*command, name + STAGED, "--live", name]
        manifest = service.ask(stack, reporter, service.RESTORE, *words, mounts=mounts)
    try:
        yield manifest
    except BaseException:
        service.ask(stack, reporter, service.RESTORE, "discard", name + STAGED)
        raise


def neutralise(stack: Stack, reporter: Reporter, database: str) -> None:
    """Run every module's own neutralize.sql, before any server of Odoo sees `database`."""
    with reporter.step("Neutralising"):
        done = service.run_odoo(stack, database, "odoo", "neutralize", "-d", database)
        if not done.ok:
            raise OpsError(f"Odoo could not neutralise the copy: {done.last_line}")


def _put_in_place(stack: Stack, reporter: Reporter, name: str) -> bool:
    if name != stack.settings.database:
        return bool(service.ask(stack, reporter, service.RESTORE, "swap", name)["replaced"])
    running = _stop_odoo(stack, reporter)
    swapped = False
    try:
        answer = service.ask(stack, reporter, service.RESTORE, "swap", name)
        swapped = True
        lifecycle.up(running, reporter)
        return bool(answer["replaced"])
    except BaseException as error:
        _put_back(running, reporter, name, swapped)
        if isinstance(error, OpsError):
            hint = "What was there before is there again."
            raise OpsError(error.message, f"{hint} {error.hint}".strip()) from error
        raise


def _stop_odoo(stack: Stack, reporter: Reporter) -> Stack:
    running = stack.as_running()
    with reporter.step("Stopping Odoo"):
        stack.run("stop", "odoo", timeout=120, changes=True)
    return running


def _put_back(stack: Stack, reporter: Reporter, name: str, swapped: bool) -> None:
    reporter.note("The restore failed: what was there before is put back")
    if swapped:
        stack.run("stop", "odoo", timeout=120, check=False, changes=True)
        service.ask(stack, reporter, service.RESTORE, "back", name)
    lifecycle.up(stack, reporter)
