"""Every image that is needed gets into the engine, up to date with its sources."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from scripts.core.errors import OpsError, UsageError
from scripts.core.files import digest, file_lock
from scripts.core.report import Reporter
from scripts.core.settings import Environment, ImageSource
from scripts.stack import debian, engine, image_build, image_facts, wheels
from scripts.stack.compose import Stack
from scripts.stack.image_names import (
    BACKUP,
    DEPLOYED,
    MAIL_CATCHER,
    MONITORING,
    POSTGREST,
    PULLED,
    effective,
)
from scripts.stack.image_sources import NoRegistryError, bring, exists, pull


def ensure(stack: Stack, reporter: Reporter, *also: str) -> dict[str, str]:
    """Bring every image that a start needs into the engine, up to date with its sources.

    `also` names further *_IMAGE variables that are wanted. Returns the images in
    use. In `auto` official images are pulled, and built from Debian packages where
    no registry answers; that choice is written to `.env`, so that plain `docker
    compose` makes it too.
    """
    if stack.runner.dry:
        return effective(stack.settings)
    wanted = [*PULLED, *_of_environment(stack), *also]
    with file_lock(stack.settings.state_folder / "images.lock", "images"):
        return _ensure(stack, reporter, wanted)


def _of_environment(stack: Stack) -> list[str]:
    """What a start needs in this environment, or for what is switched on, only."""
    settings = stack.settings
    caught = settings.environment is Environment.DEV or settings.clone.served
    production = settings.environment is Environment.PROD
    backups = production or settings.archive.wanted or settings.postgres.external
    return [
        *([MAIL_CATCHER] if caught else []),
        *(MONITORING if settings.monitoring.wanted else []),
        *([BACKUP] if backups else []),
    ]


def ensure_all(stack: Stack, reporter: Reporter) -> None:
    """As `ensure`, with the image of backups, but only if one of them is not in the engine.

    What is there is not built again: a restore is no upgrade.
    """
    chosen = effective(stack.settings)
    # What containers are made of.
    wanted = [*PULLED[:-1], "ODOO_IMAGE", "BACKUP_IMAGE", *_of_environment(stack)]
    if not all(image_facts.ids(stack.runner, [chosen[name] for name in wanted])):
        engine.probe(stack.runner)
        ensure(stack, reporter, BACKUP)


def ensure_one(stack: Stack, reporter: Reporter, name: str) -> None:
    """Bring the image of the variable `name` alone into the engine."""
    if not stack.runner.dry:
        with file_lock(stack.settings.state_folder / "images.lock", "images"):
            bring(stack, reporter, [name])


def ensure_postgrest(stack: Stack, reporter: Reporter) -> None:
    """Bring PostgREST's image into the engine.

    It is built from no package: raises OpsError where no registry can be asked.
    """
    image = effective(stack.settings)[POSTGREST]
    if stack.runner.dry or exists(stack, image):
        return
    source, chosen = stack.settings.image_source, effective(stack.settings)
    ours = any(debian.is_ours(chosen[name]) for name in PULLED)
    try:
        if source is ImageSource.DEBIAN or (source is ImageSource.AUTO and ours):
            raise NoRegistryError("images are built here, not pulled")
        with file_lock(stack.settings.state_folder / "images.lock", "images"):
            pull(stack, reporter, image)
    except NoRegistryError as error:
        raise OpsError(
            f"no image for PostgREST can be had without a registry ({error.message}); "
            "supabase_db is up, PostgREST is not",
            f"Where a registry answers: docker pull {image}; here: docker load, then "
            "POSTGREST_IMAGE in .env. `inv supabase.psql` works without it.",
        ) from error


def _ensure(stack: Stack, reporter: Reporter, wanted: Sequence[str]) -> dict[str, str]:
    images = bring(stack, reporter, wanted)
    _build_platform_image(stack, reporter, images)
    if BACKUP in wanted:
        _build_backup_image(stack, reporter, images)
    return images


def _build_platform_image(stack: Stack, reporter: Reporter, images: Mapping[str, str]) -> None:
    """Build odoo/Dockerfile on top of the base image, unless that was done already."""
    tag = images["ODOO_IMAGE"]
    if debian.is_ours(tag):
        raise UsageError(
            f"ODOO_IMAGE={tag} names a base image", "That name belongs to ODOO_BASE_IMAGE."
        )
    if DEPLOYED.fullmatch(tag):  # as it was, whatever the sources are by now
        if not exists(stack, tag):
            hint = "Empty ODOO_IMAGE and ODOO_ADDONS in .env; inv up builds another then."
            raise OpsError(f"ODOO_IMAGE={tag} of .env is gone", hint)
        return
    context = stack.settings.root / "odoo"
    sources = [context / "Dockerfile", context / "requirements.txt", *(context / "bin").iterdir()]
    base = images["ODOO_BASE_IMAGE"]

    def fetch(log: Path) -> None:
        wheels.fetch(stack.runner, reporter, context, base, log)

    _build_on(stack, reporter, tag, sources, ("ODOO_BASE_IMAGE", base), fetch)


def _build_backup_image(stack: Stack, reporter: Reporter, images: Mapping[str, str]) -> None:
    """Build images/backup/Dockerfile; the program itself is mounted and needs no new image."""
    sources = [stack.settings.root / "images" / "backup" / "Dockerfile"]
    _build_on(stack, reporter, images["BACKUP_IMAGE"], sources, (BACKUP, images[BACKUP]))


def ensure_backup(stack: Stack, reporter: Reporter, chosen: Mapping[str, str]) -> None:
    """Build the image of backups for the variables `chosen`, which `.env` need not have yet."""
    _build_backup_image(stack, reporter, {**effective(stack.settings), **chosen})


def has_backup_image(stack: Stack) -> bool:
    """Whether the image of backups is there, so that nothing need be pulled or built."""
    return exists(stack, effective(stack.settings)["BACKUP_IMAGE"])


def _build_on(
    stack: Stack,
    reporter: Reporter,
    tag: str,
    sources: Sequence[Path],
    base: tuple[str, str],
    prepare: Callable[[Path], None] | None = None,
) -> None:
    """Build the folder of the first of `sources` as `tag`, unless it is up to date.

    `prepare` is called before, with the log of the build.
    """
    context = sources[0].parent
    parent, current = image_facts.sources(stack.runner, [base[1], tag])
    # The same name may stand for another image by now, of the same sources: see refresh.py.
    identity = image_facts.ids(stack.runner, [base[1]])[0].removeprefix("sha256:")
    wanted = digest(sources, context, parent or base[1], identity)
    if current == wanted:
        return
    log = stack.settings.state_folder / "logs" / f"build-platform-{context.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    if prepare:
        prepare(log)
    with reporter.step(f"Building {tag}"):
        image_build.build_image(stack.runner, context, tag, wanted, dict([base]), log, reporter)


def in_use(stack: Stack) -> list[tuple[str, str, str]]:
    """Variable, image and its id ('' where it is not in the engine), for each image."""
    names = sorted(effective(stack.settings).items())
    found = image_facts.ids(stack.runner, [image for _, image in names])
    short = [identity.removeprefix("sha256:")[:12] for identity in found]
    return [(*name, identity) for name, identity in zip(names, short, strict=True)]
