"""Where each image comes from: it is kept, pulled, or built from Debian packages."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from scripts.core import env_file
from scripts.core.completed import Completed
from scripts.core.errors import OpsError, UsageError
from scripts.core.report import Reporter
from scripts.core.settings import ImageSource
from scripts.stack import debian, image_facts, odoo_package, postgres_volumes
from scripts.stack.compose import Stack
from scripts.stack.image_names import BACKUP, PULLED, effective, official

_BASE: Final = "ODOO_BASE_IMAGE"
_POSTGRES: Final = "POSTGRES_IMAGE"
_OF_POSTGRES: Final = (_POSTGRES, BACKUP, "BACKUP_IMAGE")  # all of one major version
_OTHER_WAYS: Final = (
    "For 18: a package or checkout of it as ODOO_PACKAGE in .env, or its image (docker load)."
)
_PULL_SECONDS: Final = 1800
_UNREACHABLE: Final = re.compile(
    r"no such host|connection refused|connection reset|timeout|timed out|deadline exceeded"
    r"|unreachable|no route to host|temporary failure|server misbehaving|x509: |: EOF",
    re.IGNORECASE,
)


class NoRegistryError(OpsError):
    """Pulling failed for want of a registry, not because of the image."""


def bring(stack: Stack, reporter: Reporter, wanted: Sequence[str]) -> dict[str, str]:
    """Keep, pull or build each of `wanted`, and give back the images in use.

    What `.env` names by a name of its own is somebody's decision: it is kept, or pulled where it
    is missing, and never replaced.
    """
    settings, source = stack.settings, stack.settings.image_source
    defaults, chosen = official(settings.root, settings.project), effective(settings)
    if settings.odoo_package and _BASE in wanted:
        chosen |= _from_package(stack, reporter, chosen)
        wanted = [name for name in wanted if name != _BASE]
    built = debian.variables(settings.project, chosen[_POSTGRES])
    ours = {name for name in wanted if chosen[name] == built[name]}
    theirs = [name for name in wanted if chosen[name] not in (defaults[name], built[name])]
    rest = [name for name in wanted if name not in theirs]
    if source is ImageSource.REGISTRY:
        turned = [name for name in built if chosen[name] == built[name] != defaults[name]]
        if chosen[_POSTGRES] != debian.POSTGRES:  # the default would not open its data
            turned = [name for name in turned if name not in _OF_POSTGRES]
        back = {name: defaults[name] for name in turned}
        if back:
            _remember(stack, back, reporter)
        chosen |= back
    _pull_missing(stack, reporter, {name: chosen[name] for name in theirs})
    build = rest if source is ImageSource.DEBIAN else []
    if source is ImageSource.AUTO and any(chosen[name] == built[name] for name in PULLED):
        build = [n for n in rest if n in ours or not exists(stack, chosen[n])]
        if _holds_data(set(build) - ours) and _has_data(stack):  # of an image that was there
            missing = {name: chosen[name] for name in build if name not in ours}
            build = [*ours.intersection(build), *_pull_or_build(stack, reporter, missing)]
    elif source is not ImageSource.DEBIAN:
        build = _pull_or_build(stack, reporter, {name: chosen[name] for name in rest})
    if build:
        if _BASE in build and chosen[_BASE] != built[_BASE]:
            _agree_to_debians_odoo(stack, reporter)
        pulled = {*PULLED, *rest} - set(build)
        chosen |= _from_debian(stack, reporter, build, chosen, pulled)
    return chosen if settings.odoo_package else _with_platform_image(stack, reporter, chosen)


def _agree_to_debians_odoo(stack: Stack, reporter: Reporter) -> None:
    """Raises OpsError unless Debian's version will do in the place of the official image's."""
    said = f"Odoo 18 is not to be had here; Debian has Odoo {debian.ODOO_SERIES}"
    question = f"{said}. Go on with that?"
    wanted = stack.settings.odoo_version.split(".")[0]
    if wanted not in ("", debian.ODOO_SERIES) or not reporter.confirm(question, unattended=True):
        raise OpsError(said, f"Nothing was built. {_OTHER_WAYS}")
    reporter.note(f"{said}, which is built now. {_OTHER_WAYS}")


def _from_package(stack: Stack, reporter: Reporter, before: Mapping[str, str]) -> dict[str, str]:
    """Build Odoo's base image from ODOO_PACKAGE; the variables that name it now."""
    settings = stack.settings
    package = odoo_package.find(settings.odoo_package, settings.root)
    defaults, named = official(settings.root, settings.project), before[_BASE]
    if named not in (defaults[_BASE], package.tag, debian.ODOO):
        raise UsageError(
            f"both ODOO_PACKAGE and {_BASE}={named} are set", "Remove one of the lines from .env."
        )
    builder = debian.Builder(
        settings.root / "images",
        settings.state_folder / "logs",
        stack.runner,
        reporter,
        package=package,
    )
    builder.ensure([package.tag])
    chosen = {_BASE: package.tag}
    of_ours = rf"localhost/{re.escape(settings.project)}/odoo:\d+\.\d+"
    if re.fullmatch(of_ours, before["ODOO_IMAGE"]):  # not a name of the user's own
        chosen["ODOO_IMAGE"] = f"localhost/{settings.project}/odoo:{package.series}"
    _remember(stack, chosen, reporter)
    return chosen


def _with_platform_image(
    stack: Stack, reporter: Reporter, chosen: dict[str, str]
) -> dict[str, str]:
    """`chosen`, where the platform's image is not called after an Odoo that is no longer its base.

    Such a name is from an earlier choice of ours.
    """
    built = debian.variables(stack.settings.project)
    if chosen[_BASE] == built[_BASE] or chosen["ODOO_IMAGE"] != built["ODOO_IMAGE"]:
        return chosen
    default = official(stack.settings.root, stack.settings.project)["ODOO_IMAGE"]
    _remember(stack, {"ODOO_IMAGE": default}, reporter)
    return {**chosen, "ODOO_IMAGE": default}


def _from_debian(
    stack: Stack,
    reporter: Reporter,
    build: Sequence[str],
    before: Mapping[str, str],
    pulled: Collection[str],
) -> dict[str, str]:
    """Build the images of the variables `build`; the variables that `.env` names then.

    So are those that are not wanted yet, but for what somebody has named, brought or `pulled`.
    """
    settings = stack.settings
    root, project = settings.root, settings.project
    logs = settings.state_folder / "logs"
    built = debian.variables(project, before[_POSTGRES])
    tags = [built[name] for name in build]
    debian.Builder(root / "images", logs, stack.runner, reporter).ensure(tags)
    defaults, chosen = official(root, project), dict(built)
    for name in built.keys() - set(build):
        named = before[name] not in (defaults[name], built[name])
        if named or (name in pulled and before[name] == defaults[name]):
            del chosen[name]
    if _BASE not in chosen:
        chosen.pop("ODOO_IMAGE", None)
    _remember(stack, chosen, reporter)
    return chosen


def _pull_missing(stack: Stack, reporter: Reporter, named: Mapping[str, str]) -> None:
    """Pull what `.env` names and the engine has not; raises OpsError where that cannot be."""
    found = image_facts.ids(stack.runner, list(named.values()))
    for (name, image), identity in zip(named.items(), found, strict=True):
        if identity:
            continue
        hint = f"Load it (docker load), or remove the line {name} from .env."
        if stack.settings.image_source is ImageSource.DEBIAN:
            raise OpsError(f"{name}={image}: it is not in the engine, and nothing is pulled", hint)
        try:
            pull(stack, reporter, image)
        except NoRegistryError as error:
            said = f"{name}={image}: it is not in the engine, and {error.message}"
            raise NoRegistryError(said, hint) from error


def _pull_or_build(stack: Stack, reporter: Reporter, wanted: Mapping[str, str]) -> list[str]:
    """Pull what is missing; the variables that are to be built, as no registry answers."""
    found = image_facts.ids(stack.runner, list(wanted.values()))
    missing = [name for name, identity in zip(wanted, found, strict=True) if not identity]
    # The smallest first: it tells soonest whether a registry answers at all.
    missing.sort(key=lambda name: "REDIS" not in name)
    while missing:
        try:
            pull(stack, reporter, wanted[missing[0]])
        except NoRegistryError as error:
            if stack.settings.image_source is ImageSource.REGISTRY:
                raise
            if _holds_data(missing) and _has_data(stack):
                raise
            reporter.note(f"{error.message}: building from Debian packages (IMAGE_SOURCE=auto)")
            return missing
        missing.pop(0)
    return []


def _holds_data(names: Iterable[str]) -> bool:
    """Whether one of them works on what another version or build may have written."""
    return not {_BASE, _POSTGRES}.isdisjoint(names)


def _has_data(stack: Stack) -> bool:
    """Whether a database was made already, which another version of Odoo would not open."""
    return postgres_volumes.in_use(stack.settings) in stack.volumes()


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


def exists(stack: Stack, image: str) -> bool:
    """Whether it is in the engine."""
    return bool(image_facts.ids(stack.runner, [image])[0])


def _remember(stack: Stack, images: Mapping[str, str], reporter: Reporter) -> None:
    for line in env_file.remember(stack.settings.env_file, images):
        reporter.note(f"written to .env: {line}")
