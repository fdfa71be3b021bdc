"""Images and code that have served are kept, and named in `.env` where they serve again."""

import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from scripts.core import env_file
from scripts.core.errors import OpsError, UsageError
from scripts.core.files import digest, make_open_folder
from scripts.core.report import Reporter
from scripts.core.settings import Settings, fixed, peek
from scripts.deploy.record import MOMENT, Deployment, Version, serving
from scripts.stack import image_names, release
from scripts.stack.compose import Stack

IMAGE: Final = "ODOO_IMAGE"
CODE: Final = "ODOO_ADDONS"
_FOLDER: Final = "deployments"  # in .state/
_UNWANTED: Final = ("__pycache__", ".git", "*.pyc")
_TIMEOUT: Final = 60.0
_CLOCK_SECONDS: Final = 5.0  # between this machine's clock and the engine's
_LONGEST_REASON: Final = 300  # characters


def refuse_own_choice(settings: Settings) -> None:
    """Raises UsageError where somebody else decides on what a deployment writes into `.env`."""
    code = peek(CODE, settings.root)
    if code and not code.startswith(f"./.state/{_FOLDER}/"):
        raise UsageError(
            f"{CODE}={code} is not what a deployment has written",
            "inv deploy keeps copies of odoo/addons; a folder of your own: inv up, inv upgrade",
        )
    for name in (IMAGE, CODE):
        if fixed(name):
            raise UsageError(
                f"{name} of the environment wins over what a deployment writes into .env",
                f"Without it: env -u {name} inv deploy",
            )


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


def as_started(stack: Stack, known: Sequence[Deployment], moment: str) -> Version:
    """What serves now, as `running`; without its code where that may be another one by now.

    That is so where a container was started after the last deployment, on odoo/addons as it was
    then.
    """
    found = running(stack, serving(known), moment)
    if not known or peek(CODE, stack.settings.root):
        return found  # on a copy, which does not change
    ended = datetime.strptime(known[0].id, MOMENT).replace(tzinfo=UTC).timestamp()
    ended += known[0].seconds + _CLOCK_SECONDS
    odoo = [s for s in stack.services() if s.service == "odoo" and s.state == "running"]
    # Nanoseconds, which Python does not read, are left out.
    begun = [datetime.fromisoformat(s.started[:19]).replace(tzinfo=UTC) for s in odoo if s.started]
    later = any(moment.timestamp() > ended for moment in begun)
    return replace(found, code="", digest="") if later else found


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
        # Links as links: a container sees nothing outside its mount either.
        shutil.copytree(source, copy, True, shutil.ignore_patterns(*_UNWANTED))
    except OSError as error:  # shutil.Error included, which lists every file
        shutil.rmtree(copy.parent, ignore_errors=True)
        reason = str(error)[:_LONGEST_REASON]
        raise OpsError(f"odoo/addons cannot be copied to {copy.parent}: {reason}") from error
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
    if image_names.DEPLOYED.fullmatch(image) and _is_own_name(stack, present[IMAGE]):
        reporter.note(f"{IMAGE} was {present[IMAGE]}: name it again before the next inv deploy")
    for line in env_file.remember(stack.settings.env_file, values):
        reporter.note(f"written to .env: {line}")


def _is_own_name(stack: Stack, image: str) -> bool:
    """Whether the operator has chosen that name: none of ours begins otherwise."""
    return bool(image) and not image.startswith(f"localhost/{stack.settings.project}/odoo:")


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
