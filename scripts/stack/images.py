"""Which images the platform needs, and how they get into the engine."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from scripts.core.errors import OpsError, UsageError
from scripts.core.files import digest, exclusive
from scripts.core.process import Completed
from scripts.core.report import Reporter
from scripts.core.settings import PROJECT, ImageSource, Settings, remember
from scripts.stack import debian, engine, wheels
from scripts.stack.compose import Stack

PULLED: Final = ("POSTGRES_IMAGE", "REDIS_IMAGE", "NGINX_IMAGE", "ODOO_BASE_IMAGE")
# Wanted only by who asks an authority for a certificate, and not in order to start.
CERTBOT: Final = "CERTBOT_IMAGE"
# What the image of backups is built on: the server's own clients, and a newer restic.
BACKUP: Final = "BACKUP_BASE_IMAGE"
# Wanted by the local Supabase only.
POSTGREST: Final = "POSTGREST_IMAGE"
# Built for this installation: another one has other packages from PyPI in them.
_OWN: Final = ("ODOO_IMAGE", "BACKUP_IMAGE")
_PULL_SECONDS: Final = 1800
_UNREACHABLE: Final = re.compile(
    r"no such host|connection refused|connection reset|timeout|timed out|deadline exceeded"
    r"|unreachable|no route to host|temporary failure|server misbehaving|x509: |: EOF",
    re.IGNORECASE,
)


class NoRegistryError(OpsError):
    """Pulling failed for want of a registry, not because of the image."""


def official(root: Path, project: str = PROJECT) -> dict[str, str]:
    """The defaults of all *_IMAGE variables; their one home is the compose files."""
    text = "".join((root / name).read_text() for name in ("compose.yaml", "compose.prod.yaml"))
    text = re.sub(r"\$\{COMPOSE_PROJECT_NAME:-[^}]+\}", project, text)
    return dict(re.findall(r"\$\{(\w+_IMAGE):-([^}]+)\}", text))


def effective(settings: Settings) -> dict[str, str]:
    """The images this installation runs on: `.env` over the defaults."""
    defaults = official(settings.root, settings.project)
    return {name: settings.images.get(name, image) for name, image in defaults.items()}


def ensure(stack: Stack, reporter: Reporter, *also: str) -> dict[str, str]:
    """Bring every image that a start needs into the engine, up to date with its sources.

    `also` names further *_IMAGE variables that are wanted. Gives back the images in
    use. In `auto` official images are pulled, and built from Debian packages where
    no registry answers; that choice is written to `.env`, so that plain `docker
    compose` makes it too.
    """
    if stack.runner.dry:
        return effective(stack.settings)
    wanted = [*PULLED, *also]
    with exclusive(stack.settings.state_folder / "images.lock", "images"):
        return _ensure(stack, reporter, wanted)


def ensure_all(stack: Stack, reporter: Reporter) -> None:
    """As `ensure`, with the image of backups, but only if one of them is not in the engine.

    What is there is not built again: a restore is no upgrade.
    """
    chosen = effective(stack.settings)
    wanted = [*PULLED[:-1], "ODOO_IMAGE", "BACKUP_IMAGE"]  # what containers are made of
    if not all(_exists(stack, chosen[name]) for name in wanted):
        engine.probe(stack.runner)
        ensure(stack, reporter, BACKUP)


def ensure_one(stack: Stack, reporter: Reporter, name: str) -> None:
    """Bring the image of the variable `name` alone into the engine."""
    if not stack.runner.dry:
        with exclusive(stack.settings.state_folder / "images.lock", "images"):
            _bring(stack, reporter, [name])


def ensure_postgrest(stack: Stack, reporter: Reporter) -> None:
    """Bring PostgREST's image into the engine.

    It is built from no package: raises OpsError where no registry can be asked.
    """
    image = effective(stack.settings)[POSTGREST]
    if stack.runner.dry or _exists(stack, image):
        return
    source, chosen = stack.settings.image_source, effective(stack.settings)
    ours = any(debian.is_ours(chosen[name]) for name in PULLED)
    try:
        if source is ImageSource.DEBIAN or (source is ImageSource.AUTO and ours):
            raise NoRegistryError("images are built here, not pulled")
        with exclusive(stack.settings.state_folder / "images.lock", "images"):
            pull(stack, reporter, image)
    except NoRegistryError as error:
        raise OpsError(
            f"no image for PostgREST can be had without a registry ({error.message}); "
            "supabase_db is up, PostgREST is not",
            f"Where a registry answers: docker pull {image}; here: docker load, then "
            "POSTGREST_IMAGE in .env. `inv supabase.psql` works without it.",
        ) from error


def _ensure(stack: Stack, reporter: Reporter, wanted: Sequence[str]) -> dict[str, str]:
    images = _bring(stack, reporter, wanted)
    _build_platform_image(stack, reporter, images)
    if BACKUP in wanted:
        _build_backup_image(stack, reporter, images)
    return images


def _bring(stack: Stack, reporter: Reporter, wanted: Sequence[str]) -> dict[str, str]:
    images = effective(stack.settings)
    source = stack.settings.image_source
    ours = any(debian.is_ours(images[name]) for name in PULLED)
    if source is ImageSource.REGISTRY and ours:
        images = official(stack.settings.root, stack.settings.project)
        _remember(stack, images, reporter)
    if source is ImageSource.DEBIAN or (source is ImageSource.AUTO and ours):
        return _from_debian(stack, reporter, wanted)
    return _from_registry(stack, reporter, wanted, images)


def _from_debian(stack: Stack, reporter: Reporter, wanted: Sequence[str]) -> dict[str, str]:
    root, project = stack.settings.root, stack.settings.project
    logs = stack.settings.state_folder / "logs"
    tags = [debian.VARIABLES[name] for name in wanted]
    debian.Builder(root / "images", logs, stack.runner, reporter).ensure(tags)
    chosen = debian.variables(project)
    for name in _OWN:
        mine = stack.settings.images.get(name)
        if mine and mine != official(root, project)[name]:
            del chosen[name]
    _remember(stack, chosen, reporter)
    return {**effective(stack.settings), **chosen}


def _from_registry(
    stack: Stack, reporter: Reporter, wanted: Sequence[str], images: dict[str, str]
) -> dict[str, str]:
    missing = [images[name] for name in wanted if not _exists(stack, images[name])]
    # The smallest first: it tells soonest whether a registry answers at all.
    for image in sorted(missing, key=lambda name: "redis" not in name):
        try:
            pull(stack, reporter, image)
        except NoRegistryError as error:
            if stack.settings.image_source is ImageSource.REGISTRY or _has_data(stack):
                raise
            reporter.note(f"{error.message}: building from Debian packages (IMAGE_SOURCE=auto)")
            return _from_debian(stack, reporter, wanted)
    return images


def _has_data(stack: Stack) -> bool:
    """Whether a database was made already, which another version of Odoo would not open."""
    return f"{stack.settings.project}_odoo_db_data" in stack.volumes()


def pull(stack: Stack, reporter: Reporter, image: str) -> None:
    """Pull `image`, whether or not it is there; raises OpsError where that fails."""
    argv = ["docker", "pull", "--quiet", image]
    with reporter.step(f"Pulling {image}"):
        done = stack.runner.run(argv, timeout=_PULL_SECONDS, check=False, changes=True)
        if not done.ok:
            raise _pull_failed(image, done)


def _pull_failed(image: str, done: Completed) -> OpsError:
    if re.search(
        r"manifest unknown|manifest for .* not found|: not found|access denied", done.stderr
    ):
        hint = "Correct the image's name or tag in .env."
        return OpsError(f"cannot pull {image}: {done.last_line}", hint)
    if _UNREACHABLE.search(done.stderr):
        return NoRegistryError(
            "no container registry answers",
            "Check the network, or set IMAGE_SOURCE=debian in .env to build the images.",
        )
    hint = "Set IMAGE_SOURCE=debian in .env to build the images from Debian packages."
    return OpsError(f"cannot pull {image}: {done.last_line}", hint)


def _exists(stack: Stack, image: str) -> bool:
    argv = ["docker", "image", "inspect", "--format", "{{.Id}}", image]
    return stack.runner.run(argv, timeout=60, check=False).ok


def _build_platform_image(stack: Stack, reporter: Reporter, images: Mapping[str, str]) -> None:
    """Build odoo/Dockerfile on top of the base image, unless that was done already."""
    tag = images["ODOO_IMAGE"]
    if debian.is_ours(tag):
        raise UsageError(
            f"ODOO_IMAGE={tag} names a base image", "That name belongs to ODOO_BASE_IMAGE."
        )
    context = stack.settings.root / "odoo"
    sources = [context / "Dockerfile", context / "requirements.txt", *(context / "bin").iterdir()]
    base = images["ODOO_BASE_IMAGE"]

    def fetch(log: Path) -> None:
        wheels.fetch(stack.runner, reporter, context, base, log)

    _build_on(stack, reporter, tag, sources, ("ODOO_BASE_IMAGE", base), fetch)


def _build_backup_image(stack: Stack, reporter: Reporter, images: Mapping[str, str]) -> None:
    """Build backup/Dockerfile; the program itself is mounted and needs no new image."""
    sources = [stack.settings.root / "backup" / "Dockerfile"]
    _build_on(stack, reporter, images["BACKUP_IMAGE"], sources, (BACKUP, images[BACKUP]))


def has_backup_image(stack: Stack) -> bool:
    """Whether the image of backups is there, so that nothing need be pulled or built."""
    return _exists(stack, effective(stack.settings)["BACKUP_IMAGE"])


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
    parent = debian.label(stack.runner, base[1]) or base[1]
    # The same name may stand for another image by now, of the same sources: see refresh.py.
    wanted = digest(sources, context, parent, _identity(stack, base[1]))
    if debian.label(stack.runner, tag) == wanted:
        return
    log = stack.settings.state_folder / "logs" / f"build-platform-{context.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    if prepare:
        prepare(log)
    with reporter.step(f"Building {tag}"):
        debian.build_image(stack.runner, context, tag, wanted, dict([base]), log)


def _remember(stack: Stack, images: Mapping[str, str], reporter: Reporter) -> None:
    for line in remember(stack.settings, images):
        reporter.note(f"written to .env: {line}")


def in_use(stack: Stack) -> list[tuple[str, str, str]]:
    """Variable, image and its id ('' where it is not in the engine), for each image."""
    rows = []
    for name, image in sorted(effective(stack.settings).items()):
        rows.append((name, image, _identity(stack, image)[:12]))
    return rows


def _identity(stack: Stack, image: str) -> str:
    argv = ["docker", "image", "inspect", "--format", "{{.Id}}", image]
    done = stack.runner.run(argv, timeout=60, check=False)
    return done.stdout.strip().removeprefix("sha256:") if done.ok else ""
