"""`inv restore` and `inv clone`: staged beside what is live, then put in its place."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scripts.backups import cli, service, strangers
from scripts.core.errors import OpsError, UsageError
from scripts.core.files import exclusive
from scripts.core.report import Reporter
from scripts.core.settings import DATABASE
from scripts.stack import engine, images, lifecycle
from scripts.stack.compose import Stack

STAGED: Final = "__restoring"  # as backup/restore.py calls them
BEFORE: Final = "__before"


@dataclass(frozen=True)
class Restored:
    """What a restore has done."""

    source: str
    database: str
    replaced: bool
    missing_files: int
    live: bool = False  # it is the platform's own database

    @property
    def lines(self) -> list[str]:
        """For people."""
        lines = [f"Restored {self.source} as the database {self.database}"]
        if self.missing_files:
            lines.append(f"warning: {self.missing_files} attachments have no file")
        if self.replaced:
            undo = "inv restore --undo" + ("" if self.live else f" --to-database {self.database}")
            lines.append(
                f"What was there before is the database {self.database}{BEFORE};"
                f" the next restore takes it away. Back to it: {undo}"
            )
        return lines


def restore(
    stack: Stack,
    reporter: Reporter,
    source: str,
    to: str = "",
    *,
    neutralize: bool = False,
    of: str = "",
) -> Restored:
    """Bring a backup, a zip of Odoo's or a dump back, as the database `to`.

    By default that is the platform's own. Nothing of it is touched before the backup
    is restored and verified beside it; what was there is put back if Odoo does not
    come up on the restored one. `of` is the database wanted of a file that holds several.
    """
    name = _name(to or stack.settings.database)
    with exclusive(cli.lock(stack.settings), "restore"):
        _prepare(stack, reporter)
        file = strangers.file(source)
        if of and not file:
            raise UsageError("--from-database is for a file", "A backup is of one database.")
        found = {} if file else cli.show(stack, reporter, source)
        odoo = _fit(stack, reporter, found) if found else ""
        what = f"the file {file}" if file else _describe(found)
        known = _agree(stack, reporter, what, name)
        if not found and stack.settings.database not in known:
            odoo = service.odoo_here(stack)["odoo"]
        if file:
            strangers.read(stack, reporter, file, of)
        with _staged(stack, reporter, file or found["id"], name, odoo) as manifest:
            if neutralize:
                neutralise(stack, reporter, name + STAGED, strangers.RESTORER if file else "")
            replaced = _put_in_place(stack, reporter, name)
        missing = int(manifest.get("missing_files", 0))
        return Restored(manifest["id"], name, replaced, missing, live=_is_live(stack, name))


def _is_live(stack: Stack, name: str) -> bool:
    return name == stack.settings.database


def refuse_with_undo(source: str, *, neutralize: bool) -> None:
    """Raises UsageError for what `--undo` would not heed."""
    if source != "latest" or neutralize:
        raise UsageError("--undo takes no backup and no --neutralize")


def undo(stack: Stack, reporter: Reporter, of: str = "") -> Restored:
    """Put back what the last restore of the database `of` (the platform's own) replaced."""
    name = _name(of or stack.settings.database)
    with exclusive(cli.lock(stack.settings), "restore"):
        _prepare(stack, reporter)
        if name + BEFORE not in databases(stack, reporter):
            raise OpsError("there is nothing to go back to", "See: inv backup.list")
        _agree(stack, reporter, f"the database {name}{BEFORE}", name)
        if not _is_live(stack, name):
            service.ask(stack, reporter, service.RESTORE, "back", name)
        else:
            running = lifecycle.pause_odoo(stack, reporter)
            try:
                service.ask(stack, reporter, service.RESTORE, "back", name)
            finally:  # as it was, or on what was put back: it has to run
                lifecycle.resume_odoo(running, reporter)
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
            made = cli.make(stack, reporter, "--database", origin)
        with _staged(stack, reporter, made["id"], name):
            neutralise(stack, reporter, name + STAGED)
            answer = service.ask(stack, reporter, service.RESTORE, "swap", name)
        return Restored(made["id"], name, answer["replaced"], missing_files=0)


def _name(database: str) -> str:
    if not re.fullmatch(DATABASE, database):
        raise UsageError(
            f"{database!r} cannot be the name of a restored database",
            "Small letters, digits and _, at most 50. postgres and template… are PostgreSQL's own;"
            " what ends in __before, __restoring and the like is kept by inv itself.",
        )
    return database


def _prepare(stack: Stack, reporter: Reporter) -> None:
    engine.probe(stack.runner)
    service.prepare(stack, reporter)
    images.ensure_all(stack, reporter)
    service.need_database(stack)


def _describe(found: Mapping[str, Any]) -> str:
    return f"the backup {found['id']} of {found['created']} ({found['database']})"


def databases(stack: Stack, reporter: Reporter) -> dict[str, int]:
    """Those of the server, and the number by which it knows each under any name."""
    found: dict[str, int] = service.ask(stack, reporter, service.RESTORE, "databases")
    return found


def _fit(stack: Stack, reporter: Reporter, found: Mapping[str, Any]) -> str:
    """The version of the Odoo here, which has to be able to run the backup `found`.

    Raises OpsError otherwise, and, unless the person agrees, where it finds no code of modules
    that are installed in the backup.
    """
    here: dict[str, Any] = service.odoo_here(stack)
    if here["odoo"] != found["odoo"]:
        raise OpsError(
            f"the backup is of Odoo {found['odoo']}, and Odoo {here['odoo']} runs here",
            "Run the image of that version, restore, and upgrade then.",
        )
    missing = sorted(set(found["modules"]) - set(here["modules"]))
    if missing:
        reporter.note(f"Installed in the backup, and not on disk here: {', '.join(missing)}")
    question = "Restore it without the code of these modules?"
    if missing and not reporter.confirm(question, unattended=False):
        raise OpsError(
            "nothing was restored: modules are missing",
            "inv restore --configuration tells where they came from; --yes goes on without them.",
        )
    return str(here["odoo"])


def _agree(stack: Stack, reporter: Reporter, what: str, name: str) -> dict[str, int]:
    """What databases there are, once the person has agreed to replace `name`."""
    known = databases(stack, reporter)
    if name not in known:
        return known
    question = f"This replaces the database {name!r} and its files by {what}. Continue?"
    if not reporter.confirm(question, unattended=False):
        raise OpsError("nothing was restored", "Say yes, or give --yes where nobody can answer.")
    return known


@contextmanager
def _staged(
    stack: Stack, reporter: Reporter, source: Path | str, name: str, odoo: str = ""
) -> Iterator[dict[str, Any]]:
    """The backup as a database beside the live one; gone again if the block fails."""
    command, mounts = ["stage", str(source)], {}
    if isinstance(source, Path):
        command, mounts = ["stage-file", f"/in/{source.name}"], strangers.mounts(source)
    with reporter.step("Restoring and verifying beside what is live"):
        words = [*command, name + STAGED, "--live", name, "--odoo", odoo]
        manifest = service.ask(stack, reporter, service.RESTORE, *words, mounts=mounts)
    try:
        yield manifest
    except BaseException:
        service.try_to_discard(stack, reporter, name + STAGED)
        raise


def neutralise(stack: Stack, reporter: Reporter, database: str, user: str = "") -> None:
    """Run every module's own neutralize.sql, before any server of Odoo sees `database`.

    As the role `user`, if another than the platform's own owns it. Raises OpsError if something
    is alive afterwards: a module or a trigger may have undone it.
    """
    variables = {"PGUSER": user} if user else {}
    with reporter.step("Neutralising"):
        command = ("odoo", "neutralize", "-d", database)
        done = service.run_odoo(stack, database, *command, variables=variables)
        if not done.ok:
            raise OpsError(f"Odoo could not neutralise the copy: {done.last_line}")
        service.ask(stack, reporter, service.RESTORE, "scan", database)


def _put_in_place(stack: Stack, reporter: Reporter, name: str) -> bool:
    if not _is_live(stack, name):
        return bool(service.ask(stack, reporter, service.RESTORE, "swap", name)["replaced"])
    before = databases(stack, reporter)
    running = lifecycle.pause_odoo(stack, reporter)
    try:
        answer = service.ask(stack, reporter, service.RESTORE, "swap", name)
        lifecycle.resume_odoo(running, reporter)
        return bool(answer["replaced"])
    except OpsError as error:
        hint = _put_back(running, reporter, name, before)
        raise OpsError(error.message, f"{hint} {error.hint}".strip()) from error
    except BaseException:
        _put_back(running, reporter, name, before)
        raise


def _put_back(stack: Stack, reporter: Reporter, name: str, before: Mapping[str, int]) -> str:
    """Have what was there before again, however far the restore came; says what is there now."""
    reporter.note("The restore failed: what was there before is put back")
    try:
        # The server knows how far it came; a container that was killed could not say.
        if name in before and databases(stack, reporter).get(name) != before[name]:
            stack.run("stop", "odoo", timeout=120, check=False, changes=True)
            service.ask(stack, reporter, service.RESTORE, "back", name)
        lifecycle.resume_odoo(stack, reporter)
    except OpsError as second:
        return f"Putting it back failed too ({second.message}). See: inv ps, inv restore --undo."
    return "What was there before is there again." if name in before else "There was none before."
