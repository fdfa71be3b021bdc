"""`inv db.list`, `db.drop` and `db.copy`: the databases beside the platform's own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from scripts.backups import render, repository, restore, service, staging
from scripts.core import known_names
from scripts.core.errors import OpsError, UsageError
from scripts.core.files import file_lock
from scripts.core.report import Reporter
from scripts.core.table import Table
from scripts.stack import engine, images, served
from scripts.stack.compose import Stack
from toolbox.contract.backups import StageResult, SwapResult
from toolbox.contract.databases import Database, Dropped, Kind
from toolbox.contract.names import STAGED

_HEADER: Final = ("database", "what", "Odoo", "neutralised", "size", "files")
_WHAT: Final = {
    Kind.LIVE: "live",
    Kind.COPY: "copy",
    Kind.SNAPSHOT: "snapshot before a module change",
    Kind.BEFORE: "undo of the last restore",
    Kind.TEMPORARY: "temporary",
    Kind.FILES: "files without a database",
    Kind.OTHER: "not of Odoo",
}
_LOSES: Final = {
    Kind.SNAPSHOT: " `inv module.rollback` cannot go back to it any more.",
    Kind.BEFORE: " `inv restore --undo` has nothing to go back to then.",
    Kind.OTHER: " It is not a database of Odoo.",
}
_DANGER: Final = (
    "The copy is not neutralised: its mail servers, payment providers and scheduled actions reach"
    " customers as soon as an Odoo serves it (--neutralize disarms them). Copy all the same?"
)


@dataclass(frozen=True)
class Copied:
    """What `inv db.copy` has made."""

    source: str
    name: str
    neutralized: bool
    missing_files: int

    @property
    def lines(self) -> list[str]:
        """For people."""
        lines = [f"{self.name} is a copy of {self.source}, with its files"]
        if self.missing_files:
            lines.append(
                f"{self.missing_files} attachments have no file: inv files.check"
                f" --database {self.source}"
            )
        state = "neutralised" if self.neutralized else "not neutralised: see inv db.list"
        return [*lines, f"It is {state}; to be rid of it: inv db.drop {self.name}"]


def listed(stack: Stack, reporter: Reporter) -> list[Database]:
    """All databases of the server but PostgreSQL's own, by name."""
    service.prepare(stack, reporter)
    service.start_database(stack)
    found = service.ask(stack, reporter, service.RESTORE, "inventory", kind=list[Database])
    known_names.remember(stack.settings, known_names.DATABASES, (each.name for each in found))
    clone = stack.settings.clone
    return [replace(d, url=clone.url) if d.name == clone.served else d for d in found]


def table(found: Sequence[Database]) -> Table:
    """A row for each, sizes in MB."""
    rows = [
        [
            d.name,
            _WHAT.get(Kind(d.kind), d.kind) + (f", served at {d.url}" if d.url else ""),
            d.odoo or "",
            _yes_or_no(d.neutralized),
            render.mb(d.bytes),
            render.mb(d.file_bytes),
        ]
        for d in found
    ]
    return Table(_HEADER, rows)


def _yes_or_no(value: bool | None) -> str:
    return "" if value is None else "yes" if value else "no"


def drop(stack: Stack, reporter: Reporter, name: str, *, agreed: bool = False) -> Dropped:
    """Drop the database `name` and its files, after asking; ends the connections to it.

    Raises OpsError for one that is needed, with the reason.
    """
    with file_lock(repository.lock(stack.settings), "db.drop"):
        engine.probe(stack.runner)
        found = _find(listed(stack, reporter), name)
        if found.needed:
            raise OpsError(f"{name} is not dropped: {found.needed}", found.hint)
        if found.url:
            served.require_settings_file()
        sizes = f"{render.mb(found.bytes)}, files {render.mb(found.file_bytes)}"
        kind = Kind(found.kind)
        question = f"This destroys {name} ({_WHAT[kind]}, {sizes}) for good.{_LOSES.get(kind, '')}"
        if not agreed and not reporter.confirm(f"{question} Continue?", unattended=False):
            raise OpsError("nothing was dropped", "Say yes, or give --yes where nobody can answer.")
        served.end(stack, reporter, name)
        with reporter.step(f"Dropping {name}"):
            done = service.ask(stack, reporter, service.RESTORE, "drop", "--", name, kind=Dropped)
        known_names.remove(stack.settings, known_names.DATABASES, name)
        return done


def dropped(done: Dropped) -> list[str]:
    """For people."""
    lines = [f"{done.name} and its files are gone"]
    return [*lines, f"Of it there is still: {', '.join(done.left)}"] if done.left else lines


def copy(
    stack: Stack, reporter: Reporter, source: str, to: str, *, neutralize: bool = False
) -> Copied:
    """Copy the database `source` as `to`, with its files.

    One that is to be neutralised has its name only after a scan has found nothing alive in it;
    of any other the person is told first what it can do.
    """
    name = restore.new_name(to)
    with file_lock(repository.lock(stack.settings), "db.copy"):
        engine.probe(stack.runner)
        known = listed(stack, reporter)
        _require_copyable(_find(known, source))
        if any(each.name == name for each in known):
            hint = f"Take another name, or first: inv db.drop {name}"
            raise OpsError(f"there is a database {name!r} already", hint)
        if not neutralize and not reporter.confirm(_DANGER, unattended=False):
            hint = "Say yes, give --yes where nobody can answer, or give --neutralize."
            raise OpsError("nothing was copied", hint)
        return _copy(stack, reporter, source, name, neutralize=neutralize)


def _copy(stack: Stack, reporter: Reporter, source: str, name: str, *, neutralize: bool) -> Copied:
    staged = name + STAGED
    if neutralize:
        images.ensure_all(stack, reporter)
    try:
        with reporter.step(f"Copying {source}"):
            words = ("stage-copy", "--", source, staged)
            made = service.ask(stack, reporter, service.RESTORE, *words, kind=StageResult)
        if neutralize:
            staging.neutralise(stack, reporter, staged)
        swap = ["swap", name, *(["--scan"] if neutralize else [])]
        service.ask(stack, reporter, service.RESTORE, *swap, kind=SwapResult)
    except BaseException:
        service.try_to_discard(stack, reporter, staged)
        raise
    known_names.add(stack.settings, known_names.DATABASES, name)
    return Copied(source, name, neutralize, made.missing_files)


def _find(known: Sequence[Database], name: str) -> Database:
    for each in known:
        if each.name == name:
            return each
    raise UsageError(f"there is no database {name!r}", f"There are: {_names(known)}")


def _names(known: Sequence[Database]) -> str:
    return ", ".join(each.name for each in known) or "none"


def _require_copyable(found: Database) -> None:
    if found.kind in (Kind.SNAPSHOT, Kind.BEFORE):
        hint = {
            Kind.SNAPSHOT: "inv module.rollback goes back to it.",
            Kind.BEFORE: "inv restore --undo goes back to it.",
        }[Kind(found.kind)]
        raise OpsError(f"{found.name} accepts no connections, and cannot be copied", hint)
    if not found.odoo:
        raise OpsError(f"{found.name} is not a database of Odoo", "See: inv db.list")
