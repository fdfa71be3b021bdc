"""`inv restore` and `inv clone`: staged beside what is live, then put in its place."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.backups import agreement, foreign_files, repository, service
from scripts.backups.restored import Restored
from scripts.core import known_names
from scripts.core.errors import OpsError, UsageError
from scripts.core.files import file_lock
from scripts.core.report import Reporter
from scripts.stack import engine, image_facts, image_names, images, lifecycle, served
from scripts.stack.compose import Stack
from toolbox.contract.backups import Manifest, RestoreOffer, ScanResult, StageResult, SwapResult
from toolbox.contract.names import BEFORE, DATABASE_NAME, RESTORER, STAGED


@dataclass(frozen=True)
class Saved:
    """A backup that was looked up, and what spares the next container to do that again."""

    id: str
    handle: str


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
    name = new_name(to or stack.settings.database)
    file = foreign_files.file(source)
    if of and not file:
        raise UsageError("--from-database is for a file", "A backup is of one database.")
    served.refuse(stack, name)
    with file_lock(repository.lock(stack.settings), "restore"):
        _prepare(stack, reporter)
        warning = "" if neutralize else agreement.danger(stack, name)
        origin: Path | Saved
        if file:
            origin, odoo = _read(stack, reporter, file, name, of, warning)
        else:
            origin, odoo = _choose(stack, reporter, source, name, warning)
        with _staged(stack, reporter, origin, name, odoo) as staged:
            if neutralize:
                neutralise(stack, reporter, name + STAGED, RESTORER if file else "")
            replaced = _put_in_place(stack, reporter, name, staged.databases, scan=neutralize)
        return Restored(
            staged.id,
            name,
            replaced,
            staged.missing_files,
            live=_is_live(stack, name),
            with_files=staged.with_files,
        )


def _choose(
    stack: Stack, reporter: Reporter, wanted: str, name: str, warning: str
) -> tuple[Saved, str]:
    """A backup that can replace `name`, and the version of the Odoo here, if the person agrees."""
    offer = service.ask(stack, reporter, service.RESTORE, "offer", wanted, kind=RestoreOffer)
    found = offer.backup
    odoo = _fit(stack, reporter, found)
    what = f"the backup {found.id} of {found.created} ({found.database})"
    agreement.agree(reporter, what, name, offer.databases, warning)
    return Saved(found.id, offer.handle), odoo


def _read(
    stack: Stack, reporter: Reporter, file: Path, name: str, of: str, warning: str
) -> tuple[Path, str]:
    """The same of a file, once the sandbox has read it."""
    known = databases(stack, reporter)
    agreement.agree(reporter, f"the file {file}", name, known, warning)
    image = image_names.effective(stack.settings)["ODOO_IMAGE"]
    odoo = image_facts.odoo_version(stack.runner, image) or service.odoo_here(stack).odoo
    foreign_files.read(stack, reporter, file, of)
    return file, str(odoo)


def _is_live(stack: Stack, name: str) -> bool:
    return name == stack.settings.database


def validate(
    source: str, *, configuration: bool, undo: bool, neutralize: bool, to: str = "", of: str = ""
) -> None:
    """Raises UsageError for what `--undo` or `--configuration` would ignore."""
    if configuration and (undo or neutralize or to or of):
        raise UsageError("--configuration goes with a backup and no other option")
    if undo and (source != "latest" or neutralize or of):
        raise UsageError("--undo takes no backup, no --neutralize and no --from-database")


def undo(stack: Stack, reporter: Reporter, of: str = "") -> Restored:
    """Put back what the last restore of the database `of` (the platform's own) replaced."""
    name = new_name(of or stack.settings.database)
    served.refuse(stack, name)
    with file_lock(repository.lock(stack.settings), "restore"):
        _prepare(stack, reporter)
        known = databases(stack, reporter)
        if name + BEFORE not in known:
            raise OpsError("there is nothing to go back to", "See: inv backup.list")
        agreement.agree(reporter, f"the database {name}{BEFORE}", name, known)
        if not _is_live(stack, name):
            service.run(stack, reporter, service.RESTORE, "back", name)
        else:
            running = lifecycle.pause_odoo(stack, reporter)
            try:
                service.run(stack, reporter, service.RESTORE, "back", name)
            finally:  # as it was, or on what was put back: it has to run
                lifecycle.resume_odoo(running, reporter)
        return Restored(name + BEFORE, name, replaced=False, missing_files=0)


def clone(
    stack: Stack, reporter: Reporter, source: str, to: str, *, serve: bool = False
) -> Restored:
    """Copy the database `source` as `to`, neutralised: it can reach nobody outside.

    With `serve`, an Odoo of its own serves it afterwards.

    The copy has its name, by which it can be served, only after a scan has found no
    mail server, payment provider, webhook or scheduled action that is alive.
    """
    origin, name = new_name(source or stack.settings.database), new_name(to)
    if name in (origin, stack.settings.database):
        raise UsageError(f"{name!r} is in use: a clone needs a name of its own")
    with file_lock(repository.lock(stack.settings), "clone"):
        _prepare(stack, reporter)
        known = databases(stack, reporter)
        if origin not in known:
            raise UsageError(f"there is no database {origin!r}", "See: inv db.list")
        if serve:
            served.prepare(stack, reporter, name)
        agreement.agree(reporter, f"a neutralised copy of {origin}", name, known)
        with reporter.step(f"Backing up {origin}"):
            made = repository.make(stack, reporter, "--database", origin, "--handle")
        with _staged(stack, reporter, Saved(made.id, made.handle), name) as staged:
            neutralise(stack, reporter, name + STAGED)
            with served.paused(stack, name):
                replaced = _put_in_place(stack, reporter, name, staged.databases, scan=True)
        done = Restored(made.id, name, replaced, len(made.files.lost))
        if not serve:
            return done
        place = served.serve(stack, reporter, name)
        return replace(done, url=place.url, mail_page=place.mail_page)


def new_name(database: str) -> str:
    """`database`, which may be the name of a new one; raises UsageError if it may not."""
    if not re.fullmatch(DATABASE_NAME, database):
        raise UsageError(
            f"{database!r} cannot be the name of a copy or of a restored database",
            "Small letters, digits and _, at most 50. postgres and template… are PostgreSQL's own;"
            " what ends in __before, __restoring and the like is kept by inv itself.",
        )
    return database


def _prepare(stack: Stack, reporter: Reporter) -> None:
    engine.probe(stack.runner)
    service.prepare(stack, reporter)
    images.ensure_all(stack, reporter)
    service.start_database(stack)


def databases(stack: Stack, reporter: Reporter) -> dict[str, int]:
    """Those of the server, and the number by which it knows each under any name."""
    return service.ask(stack, reporter, service.RESTORE, "databases", kind=dict[str, int])


def _fit(stack: Stack, reporter: Reporter, found: Manifest) -> str:
    """The version of the Odoo here, which has to be able to run the backup `found`.

    Raises OpsError otherwise, and, unless the person agrees, where it finds no code of modules
    that are installed in the backup.
    """
    here = service.odoo_here(stack)
    if here.odoo != found.odoo:
        raise OpsError(
            f"the backup is of Odoo {found.odoo}, and Odoo {here.odoo} runs here",
            "Run the image of that version, restore, and upgrade then.",
        )
    missing = sorted(set(found.modules) - set(here.modules))
    if missing:
        reporter.note(f"Installed in the backup, and not on disk here: {', '.join(missing)}")
    question = "Restore it without the code of these modules?"
    if missing and not reporter.confirm(question, unattended=False):
        raise OpsError(
            "nothing was restored: modules are missing",
            "inv restore --configuration tells where they came from; --yes goes on without them.",
        )
    return here.odoo


@contextmanager
def _staged(
    stack: Stack, reporter: Reporter, source: Path | Saved, name: str, odoo: str = ""
) -> Iterator[StageResult]:
    """The backup as a database beside the live one; dropped if this or the block fails.

    Yields what was staged, with the `databases` that there are now.
    """
    try:
        with reporter.step("Restoring and verifying beside what is live"):
            staged = _stage(stack, reporter, source, name, odoo)
        yield staged
    except BaseException:
        service.try_to_discard(stack, reporter, name + STAGED)
        raise


def _stage(
    stack: Stack, reporter: Reporter, source: Path | Saved, name: str, odoo: str
) -> StageResult:
    words = [name + STAGED, "--live", name, "--odoo", odoo]
    if isinstance(source, Path):
        words = ["stage-file", f"/in/{source.name}", *words]
        mounts, handle = foreign_files.mounts(source), None
    else:
        words = ["stage", source.id, *words, "--handle"]
        mounts, handle = {}, source.handle
    return service.ask(
        stack, reporter, service.RESTORE, *words, kind=StageResult, mounts=mounts, stdin=handle
    )


def neutralise(stack: Stack, reporter: Reporter, database: str, user: str = "") -> None:
    """Run every module's own neutralize.sql, before any server of Odoo sees `database`.

    As the role `user`, if another than the platform's own owns it. Whether nothing is alive
    afterwards has to be looked at: a module or a trigger may have undone it.
    """
    variables = {"PGUSER": user} if user else {}
    with reporter.step("Neutralising"):
        command = ("odoo", "neutralize", "-d", database)
        done = service.run_odoo(stack, database, *command, variables=variables)
        if not done.ok:
            raise OpsError(f"Odoo could not neutralise the copy: {done.last_line}")


def _put_in_place(
    stack: Stack, reporter: Reporter, name: str, before: Mapping[str, int], *, scan: bool
) -> bool:
    """Replace `name` of the databases `before`; with `scan` only by one that passes it."""
    if not _is_live(stack, name):
        known_names.add(stack.settings, known_names.DATABASES, name)
        swap = ["swap", name, *(["--scan"] if scan else [])]
        return service.ask(stack, reporter, service.RESTORE, *swap, kind=SwapResult).replaced
    if scan:  # while Odoo still runs
        words = ("scan", name + STAGED)
        before = service.ask(stack, reporter, service.RESTORE, *words, kind=ScanResult).databases
    running = lifecycle.pause_odoo(stack, reporter)
    try:
        done = service.ask(stack, reporter, service.RESTORE, "swap", name, kind=SwapResult)
        lifecycle.resume_odoo(running, reporter)
        return done.replaced
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
            service.run(stack, reporter, service.RESTORE, "back", name)
        lifecycle.resume_odoo(stack, reporter)
    except OpsError as second:
        return f"Putting it back failed too ({second.message}). See: inv ps, inv restore --undo."
    return "What was there before is there again." if name in before else "There was none before."
