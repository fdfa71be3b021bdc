"""`inv restore` and `inv clone`: staged beside what is live, then put in its place."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from scripts.backups import agreement, archive, foreign_files, repository, service
from scripts.backups.restored import Restored
from scripts.backups.staging import Past, Saved, Source, neutralise, staged
from scripts.backups.wanted import Wanted
from scripts.core import known_names
from scripts.core.errors import OpsError, UsageError
from scripts.core.files import file_lock
from scripts.core.report import Reporter
from scripts.stack import engine, image_facts, image_names, images, lifecycle, served
from scripts.stack.compose import Stack
from toolbox.contract.archive import StagedMoment
from toolbox.contract.backups import RestoreOffer, ScanResult, StageResult, SwapResult
from toolbox.contract.names import BEFORE, DATABASE_NAME, RESTORER, STAGED


def restore(stack: Stack, reporter: Reporter, wanted: Wanted) -> Restored:
    """Bring a backup, a zip of Odoo's, a dump or a moment back, as a database.

    By default that is the platform's own. Nothing of it is touched before the backup
    is restored and verified beside it; what was there is put back if Odoo does not
    come up on the restored one.
    """
    name = new_name(wanted.to or stack.settings.database)
    file = None if wanted.at else foreign_files.file(wanted.source)
    if wanted.of and not (file or wanted.at):
        raise UsageError("--from-database is for a file or --at", "A backup is of one database.")
    neutralize = wanted.neutralize
    served.refuse(stack, name)
    with file_lock(repository.lock(stack.settings), "restore"):
        _prepare(stack, reporter)
        warning = "" if neutralize else agreement.danger(stack, name)
        origin: Source
        if wanted.at:
            past = Past(wanted.at, wanted.of or stack.settings.database, wanted.archive)
            origin, odoo = _recall(stack, reporter, past, name, warning)
        elif file:
            origin, odoo = _read(stack, reporter, file, name, wanted.of, warning)
        else:
            origin, odoo = _choose(stack, reporter, wanted.source, name, warning)
        with staged(stack, reporter, origin, name, odoo) as found:
            if isinstance(found, StagedMoment):
                agreement.fit(reporter, found, service.odoo_here(stack))
            if neutralize:
                neutralise(stack, reporter, name + STAGED, RESTORER if file else "")
            replaced = _put_in_place(stack, reporter, name, found.databases, scan=neutralize)
        return Restored(
            origin.shown if isinstance(origin, Past) else found.id,
            name,
            replaced,
            found.missing_files,
            live=_is_live(stack, name),
            with_files=found.with_files,
            remark=archive.remark(found) if isinstance(found, StagedMoment) else "",
            last_transaction=_last_transaction(origin, found),
        )


def _last_transaction(origin: Source, found: StageResult | StagedMoment) -> str:
    if isinstance(found, StagedMoment):
        return found.last_commit
    return origin.created if isinstance(origin, Saved) else ""


def _recall(
    stack: Stack, reporter: Reporter, past: Past, name: str, warning: str
) -> tuple[Past, str]:
    """A moment that can be restored, and the version of the Odoo here, if the person agrees."""
    if not past.archive:
        archive.require(archive.status(stack), past.moment)
    known = databases(stack, reporter)
    agreement.agree(reporter, past.shown, name, known, warning)
    return past, _odoo_of_image(stack)


def _choose(
    stack: Stack, reporter: Reporter, wanted: str, name: str, warning: str
) -> tuple[Saved, str]:
    """A backup that can replace `name`, and the version of the Odoo here, if the person agrees."""
    offer = service.ask(stack, reporter, service.RESTORE, "offer", wanted, kind=RestoreOffer)
    found = offer.backup
    odoo = agreement.fit(reporter, found, service.odoo_here(stack))
    what = f"the backup {found.id} of {found.created} ({found.database})"
    agreement.agree(reporter, what, name, offer.databases, warning)
    return Saved(found.id, offer.handle, found.created), odoo


def _read(
    stack: Stack, reporter: Reporter, file: Path, name: str, of: str, warning: str
) -> tuple[Path, str]:
    """The same of a file, once the sandbox has read it."""
    known = databases(stack, reporter)
    agreement.agree(reporter, f"the file {file}", name, known, warning)
    odoo = _odoo_of_image(stack)
    foreign_files.read(stack, reporter, file, of)
    return file, odoo


def _odoo_of_image(stack: Stack) -> str:
    """The version of the Odoo here; only an image that does not tell has to be run for it."""
    image = image_names.effective(stack.settings)["ODOO_IMAGE"]
    return str(image_facts.odoo_version(stack.runner, image) or service.odoo_here(stack).odoo)


def _is_live(stack: Stack, name: str) -> bool:
    return name == stack.settings.database


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
        with staged(stack, reporter, Saved(made.id, made.handle), name) as found:
            neutralise(stack, reporter, name + STAGED)
            with served.paused(stack, name):
                replaced = _put_in_place(stack, reporter, name, found.databases, scan=True)
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
            stack.run("stop", *stack.settings.odoo_services, timeout=180, check=False, changes=True)
            service.run(stack, reporter, service.RESTORE, "back", name)
        lifecycle.resume_odoo(stack, reporter)
    except OpsError as second:
        return f"Putting it back failed too ({second.message}). See: inv ps, inv restore --undo."
    return "What was there before is there again." if name in before else "There was none before."
