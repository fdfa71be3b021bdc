"""`inv postgres.upgrade`: another major version of PostgreSQL, and the way back.

Databases are moved into a new volume by postgres/upgrade; the old volume stays as it was until
the upgrade is accepted. Which of the two is in use is what `.env` says, and nothing else.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from scripts.backups import repository, service
from scripts.core import env_file
from scripts.core.errors import OpsError, UsageError
from scripts.core.files import file_lock
from scripts.core.report import Reporter
from scripts.core.settings import Settings, fixed
from scripts.postgres.outcome import PostgresUpgrade, report
from scripts.stack import (
    debian,
    engine,
    image_names,
    images,
    lifecycle,
    oneoff,
    postgres_images,
    postgres_volumes,
    readiness,
)
from scripts.stack.compose import Stack

_SERVICE: Final = "postgres_upgrade"
_SUPABASE: Final = "SUPABASE_POSTGRES"
_CHECK_SECONDS: Final = 600.0
_MOVE_SECONDS: Final = 24 * 3600.0
# What writes to the databases, or looks at them all the time.
_CLIENTS: Final = (
    "odoo",
    "odoo_cron",
    "odoo_websocket",
    "odoo_clone",
    "archiver",
    "postgres_exporter",
)
_VERSION: Final = "SELECT current_setting('server_version_num')::int / 10000"


def upgrade(stack: Stack, reporter: Reporter, to: int, image: str) -> PostgresUpgrade:
    """Move to PostgreSQL `to`, if the person agrees; on any failure the old server goes on.

    Raises UsageError and OpsError before anything is changed for what can be known to fail.
    """
    stack, current = _prepare(stack)
    others = postgres_volumes.others(stack)
    if to == current:
        return report(stack, "nothing", current)
    if to < current:
        raise UsageError(
            f"PostgreSQL {current} runs, which is newer than {to}",
            "To undo an upgrade: inv postgres.upgrade --undo",
        )
    if to > postgres_images.NEWEST:
        raise UsageError(
            f"PostgreSQL {to} is none that the platform knows",
            f"Up to {postgres_images.NEWEST}: inv postgres.upgrade --to {postgres_images.NEWEST}",
        )
    target = f"{postgres_volumes.DEFAULT}_{to}"
    doomed = [n for n in others if n == f"{stack.settings.project}_{target}"]
    if set(others) - set(doomed):
        raise OpsError(
            f"an earlier upgrade has left another volume of databases: {', '.join(others)}",
            "To drop it: inv postgres.upgrade --accept",
        )
    chosen = postgres_images.chosen(stack.settings, to, image)
    values = {**chosen, postgres_volumes.VARIABLE: target, **_supabase(stack)}
    with file_lock(repository.lock(stack.settings), "postgres.upgrade"):
        _bring(stack, reporter, to, chosen)
        question = f"Upgrade PostgreSQL {current} to {to}, with a backup first? Odoo is down then"
        if doomed:
            question = f"{doomed[0]}, left of an earlier upgrade, is dropped. {question}"
        else:
            _run(stack, reporter, values, "check")
        _agree(reporter, question)
        postgres_volumes.drop(stack, *doomed)
        if doomed:
            _run(stack, reporter, values, "check")
        service.prepare(stack, reporter)
        with reporter.step("Backing up"):
            made = repository.make(stack, reporter).id
        with _or_back(stack, reporter, drop=f"{stack.settings.project}_{target}"):
            with file_lock(lifecycle.lock(stack.settings), "postgres.upgrade"):
                _stop_clients(stack, reporter)
                with reporter.step(f"Moving the databases to PostgreSQL {to}"):
                    moved = _run(stack, reporter, values, "move")
            now = _switch(stack, reporter, values, to)
    return replace(report(now, "upgraded", to), before=current, moved=moved, backup=made)


def undo(stack: Stack, reporter: Reporter) -> PostgresUpgrade:
    """Go back to the volume of before the upgrade, if the person agrees.

    What was written since stays in the volume that is in use until now. Raises OpsError where
    there is nothing to go back to.
    """
    stack, current = _prepare(stack)
    image = image_names.effective(stack.settings)[postgres_images.SERVER]
    others = postgres_volumes.others(stack)
    found = {name: postgres_volumes.major(stack, name, image) for name in others}
    older = {name: major for name, major in found.items() if 0 < major < current}
    if len(older) != 1:
        raise OpsError(
            f"there is no upgrade to undo: PostgreSQL {current} runs",
            f"Other volumes of databases: {', '.join(found) or 'none'}",
        )
    [(volume, major)] = older.items()
    chosen = postgres_images.chosen(stack.settings, major, "")
    own = volume.removeprefix(f"{stack.settings.project}_")
    with file_lock(repository.lock(stack.settings), "postgres.upgrade"):
        _bring(stack, reporter, major, chosen)
        _agree(
            reporter,
            f"Go back to PostgreSQL {major} and what was in {volume} when it was left? What was "
            "written since is not in it",
        )
        with _or_back(stack, reporter):
            with file_lock(lifecycle.lock(stack.settings), "postgres.upgrade"):
                _stop_clients(stack, reporter)
            now = _switch(stack, reporter, {**chosen, postgres_volumes.VARIABLE: own}, major)
    return replace(report(now, "undone", major), before=current)


def accept(stack: Stack, reporter: Reporter) -> PostgresUpgrade:
    """Drop the volumes that are not in use, if the person agrees."""
    stack, current = _prepare(stack)
    doomed = tuple(postgres_volumes.others(stack))
    if not doomed:
        return report(stack, "nothing", current)
    with file_lock(repository.lock(stack.settings), "postgres.upgrade"):
        _agree(reporter, f"Drop for good: {', '.join(doomed)}? PostgreSQL {current} stays")
        postgres_volumes.drop(stack, *doomed)
    return replace(report(stack, "accepted", current), dropped=doomed)


def _prepare(stack: Stack) -> tuple[Stack, int]:
    """The stack as it runs, and its major version; raises OpsError where nothing can be done."""
    if stack.settings.postgres.external:
        raise UsageError(
            f"PostgreSQL at {stack.settings.postgres.host} is upgraded by who runs it",
            "Afterwards name that version's BACKUP_BASE_IMAGE in .env, then: inv up",
        )
    engine.probe(stack.runner)
    if stack.runner.dry:
        raise UsageError("this cannot be rehearsed", "It asks before it changes anything.")
    names = (postgres_volumes.VARIABLE, postgres_images.SERVER, image_names.BACKUP, "BACKUP_IMAGE")
    if given := [name for name in names if fixed(name)]:
        raise UsageError(
            f"the environment sets {', '.join(given)}, which an upgrade changes in .env",
            f"First: unset {' '.join(given)}",
        )
    stack = stack.as_running()
    stack.require_running("odoo_db")
    if busy := [s.name for s in stack.services() if s.oneoff and s.state == "running"]:
        raise OpsError(f"{busy[0]} works on the platform", "Wait until it has ended: inv ps")
    return stack, _major(stack)


def _major(stack: Stack) -> int:
    psql = ["psql", "-X", "-U", "postgres", "-d", "postgres", "-tA", "-c", _VERSION]
    done = stack.exec("odoo_db", *psql)
    if not done.ok:
        raise OpsError(f"PostgreSQL does not answer: {done.last_line}", "See: inv logs odoo_db")
    return int(done.stdout)


def _supabase(stack: Stack) -> dict[str, str]:
    """The local Supabase has a volume of its own, which stays on the version that it has."""
    own = f"{stack.settings.project}_supabase_db_data"
    if own not in stack.volumes() or _env_file_has(stack.settings, _SUPABASE):
        return {}
    return {_SUPABASE: image_names.effective(stack.settings)[postgres_images.SERVER]}


def _env_file_has(settings: Settings, name: str) -> bool:
    """Whether `.env` sets the variable `name`."""
    return name in env_file.parse(settings.env_file).values


def _bring(stack: Stack, reporter: Reporter, major: int, chosen: Mapping[str, str]) -> None:
    """The images of the server and of backups, for a version that is not in use yet."""
    settings = stack.settings
    logs = settings.state_folder / "logs"
    with file_lock(settings.state_folder / "images.lock", "postgres.upgrade"):
        build = debian.Builder(settings.root / "images", logs, stack.runner, reporter)
        for image in dict.fromkeys((chosen[postgres_images.SERVER], chosen[image_names.BACKUP])):
            postgres_images.bring(stack, major, image, build)
        images.ensure_backup(stack, reporter, chosen)


def _agree(reporter: Reporter, question: str) -> None:
    if not reporter.confirm(f"{question}.", unattended=False):
        raise OpsError("nothing was changed", "Say yes, or give --yes where nobody can answer.")


def _run(stack: Stack, reporter: Reporter, values: Mapping[str, str], word: str) -> str:
    """Run postgres/upgrade on the new image and volume; the last line that it prints.

    What `check` has made is gone afterwards, and so is what a failure left.
    """
    seconds = _CHECK_SECONDS if word == "check" else _MOVE_SECONDS
    volume = f"{stack.settings.project}_{values[postgres_volumes.VARIABLE]}"
    try:
        postgres_volumes.make(stack, volume)
        done = oneoff.run(stack, _SERVICE, word, timeout=seconds, env=values, reporter=reporter)
        if not done.ok:
            raise oneoff.failure(done, "the upgrade of PostgreSQL", "POSTGRES_MEMORY")
    except BaseException:
        postgres_volumes.drop(stack, volume)
        raise
    if word == "check":
        postgres_volumes.drop(stack, volume)
        return ""
    return done.stdout.splitlines()[-1]


def _stop_clients(stack: Stack, reporter: Reporter) -> None:
    found = [s.service for s in stack.services() if s.state == "running" and not s.oneoff]
    clients = [name for name in _CLIENTS if name in found]
    if clients:
        with reporter.step("Stopping Odoo"):
            stack.run("stop", *clients, timeout=300, changes=True)


def _switch(stack: Stack, reporter: Reporter, values: Mapping[str, str], major: int) -> Stack:
    """Write `values` into `.env`, start on them, and come back when the login page is served."""
    for line in env_file.remember(stack.settings.env_file, values):
        reporter.note(f"written to .env: {line}")
    named = {name: value for name, value in values.items() if name.endswith("_IMAGE")}
    settings = replace(stack.settings, images={**stack.settings.images, **named})
    now = replace(stack, settings=settings)
    _start(now, reporter)
    if (found := _major(now)) != major:
        raise OpsError(f"PostgreSQL {found} was started, and not {major}")
    return now


def _start(stack: Stack, reporter: Reporter) -> None:
    """Start the platform, or PostgreSQL alone where nothing else was there."""
    if any(s.service == "odoo" and not s.oneoff for s in stack.services()):
        lifecycle.up(stack, reporter)
    else:
        readiness.start(stack, "odoo_db")


@contextmanager
def _or_back(stack: Stack, reporter: Reporter, drop: str = "") -> Iterator[None]:
    """Where the block fails: `.env` as it was, the platform on it, and no volume `drop`."""
    path = stack.settings.env_file.resolve()
    before = path.read_bytes() if path.is_file() else None
    try:
        yield
    except BaseException as error:
        reporter.note("Going back to what ran before")
        if before is None:
            path.unlink(missing_ok=True)
        elif path.read_bytes() != before:
            env_file.write(path, before)
        _start(stack, reporter)
        if drop:
            postgres_volumes.drop(stack, drop)
        if isinstance(error, OpsError):
            hint = f"The platform runs as before. {error.hint}".strip()
            raise OpsError(error.message, hint) from error
        raise
