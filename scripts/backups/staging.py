"""Restoring beside what is live: of a backup, of a file, or of a moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.backups import foreign_files, service
from scripts.backups.moments import Moment
from scripts.core.errors import OpsError
from scripts.core.report import Reporter
from scripts.stack.compose import Stack
from toolbox.contract.archive import StagedMoment
from toolbox.contract.backups import StageResult
from toolbox.contract.names import STAGED


@dataclass(frozen=True)
class Saved:
    """A backup that was looked up, and what spares the next container to do that again."""

    id: str
    handle: str
    created: str = ""  # ISO 8601


@dataclass(frozen=True)
class Past:
    """A database as it was at a moment."""

    moment: Moment
    database: str
    archive: str = ""  # of another server; that of this one if empty

    @property
    def shown(self) -> str:
        """For people."""
        return f"{self.database} as of {self.moment.shown}"


Source = Path | Saved | Past


@contextmanager
def staged(
    stack: Stack, reporter: Reporter, source: Source, name: str, odoo: str = ""
) -> Iterator[StageResult | StagedMoment]:
    """`source` as a database beside the live one; dropped if this or the block fails.

    Yields what was staged, with the `databases` that there are now.
    """
    try:
        with reporter.step("Restoring and verifying beside what is live"):
            found = _stage(stack, reporter, source, name, odoo)
        yield found
    except BaseException:
        # What was recovered of a moment is in a volume that only that service has.
        where = service.RECOVERY if isinstance(source, Past) else service.RESTORE
        service.try_to_discard(stack, reporter, name + STAGED, service=where)
        raise


def _stage(
    stack: Stack, reporter: Reporter, source: Source, name: str, odoo: str
) -> StageResult | StagedMoment:
    words = [name + STAGED, "--live", name, "--odoo", odoo]
    if isinstance(source, Path):
        words = ["stage-file", f"/in/{source.name}", *words]
        return service.ask(
            stack,
            reporter,
            service.RESTORE,
            *words,
            kind=StageResult,
            mounts=foreign_files.mounts(source),
        )
    if isinstance(source, Past):
        # Files stay in the filestore for as long as moments can be restored.
        words = [name + STAGED, "--live", source.database, "--odoo", odoo]
        return stage_moment(stack, reporter, source, *words)
    words = ["stage", source.id, *words, "--handle"]
    return service.ask(
        stack, reporter, service.RESTORE, *words, kind=StageResult, stdin=source.handle
    )


def stage_moment(stack: Stack, reporter: Reporter, source: Past, *words: str) -> StagedMoment:
    """Stage a moment; `words` are those of `stage` in toolbox/archive, the name first."""
    options = [*source.moment.options, *(["--archive", source.archive] if source.archive else [])]
    command = ("stage", source.database, *words, *options)
    return service.ask(stack, reporter, service.RECOVERY, *command, kind=StagedMoment)


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
