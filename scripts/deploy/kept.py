"""Images and code that have served are kept, and named in `.env` where they serve again."""

import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from scripts.core import env_file
from scripts.core.errors import OpsError, UsageError
from scripts.core.files import digest, make_open_folder
from scripts.core.report import Reporter
from scripts.core.settings import Settings, fixed, peek
from scripts.deploy.record import Version
from scripts.stack import image_names, release
from scripts.stack.compose import Stack

IMAGE: Final = "ODOO_IMAGE"
CODE: Final = "ODOO_ADDONS"
_FOLDER: Final = "deployments"  # in .state/
_UNWANTED: Final = ("__pycache__", ".git", "*.pyc")
_TIMEOUT: Final = 60.0


def refuse_fixed() -> None:
    """Raises UsageError where the environment decides on what a deployment writes into `.env`."""
    for name in (IMAGE, CODE):
        if fixed(name):
            raise UsageError(
                f"{name} of the environment wins over what a deployment writes into .env",
                f"Without it: env -u {name} inv deploy",
            )


def addons(settings: Settings) -> Path:
    """The folder with the modules, as the containers are to have it."""
    return settings.root / (peek(CODE, settings.root) or "odoo/addons")


def code_digest(folder: Path) -> str:
    """SHA-256 over names and contents of the modules in `folder`."""
    wanted = (
        path
        for path in folder.rglob("*")
        if path.is_file() and not {".git", "__pycache__"} & set(path.relative_to(folder).parts)
    )
    try:
        return digest(wanted, folder)
    except OSError as error:
        raise OpsError(f"cannot read {error.filename}: {error.strerror}") from error


def running(stack: Stack, known: Version | None, moment: str) -> Version:
    """What serves now, with its image kept; `known` is what serves by the list.

    Raises OpsError where no Odoo runs.
    """
    names = [s.name for s in stack.services() if s.service == "odoo" and s.state == "running"]
    if not names:
        raise OpsError("Odoo is not running", "Start it: inv up --prod")
    identity = _inspect(stack, "container", names[0], "{{.Image}}")
    if known and known.image_id == identity:
        return known
    found = release.started(stack.settings)
    tag = _tagged(stack, identity) or _keep_image(stack, identity, moment)
    return Version(found.name if found else "", tag, identity, "", "")


def _tagged(stack: Stack, identity: str) -> str:
    """The tag of an earlier deployment that `identity` has; '' if it has none."""
    tags = _inspect(stack, "image", identity, '{{join .RepoTags " "}}').split()
    return next((tag for tag in tags if image_names.DEPLOYED.fullmatch(tag)), "")


def _keep_image(stack: Stack, identity: str, moment: str) -> str:
    tag = f"localhost/{stack.settings.project}/odoo:deployed-{moment}"
    stack.runner.run(["docker", "tag", identity, tag], timeout=_TIMEOUT, changes=True)
    return tag


def _inspect(stack: Stack, kind: str, name: str, form: str) -> str:
    argv = ["docker", kind, "inspect", "--format", form, name]
    return stack.runner.run(argv, timeout=_TIMEOUT).stdout.strip()


def built(stack: Stack, image: str, moment: str) -> Version:
    """What is to serve: `image` under a name that keeps it, and a copy of the code."""
    settings = stack.settings
    identity = _inspect(stack, "image", image, "{{.Id}}")
    source = settings.root / "odoo" / "addons"
    copy = settings.state_folder / _FOLDER / moment / "addons"
    make_open_folder(copy.parent)
    try:
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns(*_UNWANTED))
    except (OSError, shutil.Error) as error:
        shutil.rmtree(copy.parent, ignore_errors=True)
        raise OpsError(f"odoo/addons cannot be copied: {error}", "Is the disk full?") from error
    return Version(
        release=release.here(settings, stack.runner).name,
        image=_tagged(stack, identity) or _keep_image(stack, identity, moment),
        image_id=identity,
        code=f"./{copy.relative_to(settings.root)}",
        digest=code_digest(source),
    )


def default(stack: Stack) -> Stack:
    """`stack` as it is where no earlier deployment serves: with the image that is built."""
    used = image_names.effective(stack.settings)[IMAGE]
    if not image_names.DEPLOYED.fullmatch(used):
        return stack
    image = image_names.official(stack.settings.root, stack.settings.project)[IMAGE]
    return _with(stack, image)


def _with(stack: Stack, image: str) -> Stack:
    images = {**stack.settings.images, IMAGE: image}
    return replace(stack, settings=replace(stack.settings, images=images))


@contextmanager
def named_as_before(settings: Settings) -> Iterator[None]:
    """Have `.env` name what it named before, if the block fails."""
    before = {name: peek(name, settings.root) for name in (IMAGE, CODE)}
    try:
        yield
    except BaseException:
        _restore(settings, before)
        raise


def _restore(settings: Settings, before: Mapping[str, str]) -> None:
    if any(peek(name, settings.root) != value for name, value in before.items()):
        env_file.remember(settings.env_file, before)


def serve_built(stack: Stack, reporter: Reporter) -> Stack:
    """Have `.env` name what is built from this folder; returns `stack` with it."""
    named = default(stack)
    _write(named, reporter, image_names.effective(named.settings)[IMAGE], "")
    return named


def serve(stack: Stack, reporter: Reporter, version: Version) -> Stack:
    """Have `.env` name `version`, so that every later start takes it; returns `stack` with it."""
    if not version.image:
        return stack
    _write(stack, reporter, version.image, version.code)
    return _with(stack, version.image)


def _write(stack: Stack, reporter: Reporter, image: str, code: str) -> None:
    values = {IMAGE: image, CODE: code}
    present = {name: peek(name, stack.settings.root) for name in values}
    # A default that was never written need not be.
    unchanged = present[IMAGE] or image_names.effective(stack.settings)[IMAGE]
    if present[CODE] == code and unchanged == image:
        return
    for line in env_file.remember(stack.settings.env_file, values):
        reporter.note(f"written to .env: {line}")


def is_there(stack: Stack, version: Version) -> bool:
    """Whether `version` could serve again: its image and, where it has one, its code."""
    argv = ["docker", "image", "inspect", "--format", "{{.Id}}", version.image]
    image = bool(version.image) and stack.runner.run(argv, timeout=_TIMEOUT, check=False).ok
    return image and (not version.code or (stack.settings.root / version.code).is_dir())


def drop_others(stack: Stack, wanted: Collection[Version]) -> None:
    """Remove the images and the code of earlier deployments but `wanted`."""
    images = {version.image for version in wanted}
    repository = f"localhost/{stack.settings.project}/odoo"
    listed = ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", repository]
    for tag in stack.runner.run(listed, timeout=_TIMEOUT, check=False).stdout.split():
        if image_names.DEPLOYED.fullmatch(tag) and tag not in images:
            remove = ["docker", "image", "rm", tag]  # of a name only, where it has others
            stack.runner.run(remove, timeout=_TIMEOUT, check=False, changes=True)
    folders = {Path(version.code).parent.name for version in wanted if version.code}
    place = stack.settings.state_folder / _FOLDER
    for folder in place.glob("*"):
        if folder.name not in folders and re.fullmatch(r"\d{8}T\d{6}Z", folder.name):
            shutil.rmtree(folder, ignore_errors=True)
