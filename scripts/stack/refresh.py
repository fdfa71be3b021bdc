"""Images as they would be if they were made today: with the fixes that came out since."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.files import file_lock
from scripts.core.report import Reporter
from scripts.core.table import Table
from scripts.stack import debian, image_names, image_sources, images, odoo_package, packages
from scripts.stack.compose import Stack

_OLD_DAYS: Final = 30  # Debian and the official images get fixes every week or two
_INSPECT_TIMEOUT: Final = 60.0
_HEADER: Final = ("variable", "image", "id", "made")


def refresh(stack: Stack, reporter: Reporter) -> list[packages.Difference]:
    """Pull or build every image that is in use, whether or not it is there.

    Returns what has changed of each. Names and versions stay as they are; the platform's own
    images are built on what that has brought. Raises OpsError where one cannot be had: the
    former is in use then, and whole.
    """
    images.ensure(stack, reporter, image_names.BACKUP)  # decides where they come from
    if stack.runner.dry:
        return []
    with file_lock(stack.settings.state_folder / "images.lock", "images --refresh"):
        tags = _tags(stack)
        before = {tag: packages.installed(stack, tag) for tag in tags}
        _renew(stack, reporter, tags)
    images.ensure(stack, reporter, image_names.BACKUP)
    return [packages.compare(tag, before[tag], packages.installed(stack, tag)) for tag in tags]


def changes(stack: Stack, reporter: Reporter) -> list[str]:
    """Do that; returns what has changed, for people."""
    return [line for found in refresh(stack, reporter) for line in found.lines]


def _tags(stack: Stack) -> list[str]:
    """The images in use that are in the engine, but for those that are built on them."""
    used = image_names.effective(stack.settings)
    further = (
        image_names.BACKUP,
        image_names.CERTBOT,
        image_names.POSTGREST,
        image_names.MAIL_CATCHER,
        *image_names.MONITORING,
    )
    there = [used[name] for name in (*image_names.PULLED, *further) if made(stack, used[name])]
    return list(dict.fromkeys(there))


def _renew(stack: Stack, reporter: Reporter, tags: Sequence[str]) -> None:
    package = odoo_package.named(stack.settings.odoo_package, stack.settings.root)
    can_be_built = {*debian.VARIABLES.values(), *debian.SERVERS, package.tag if package else ""}
    ours = [tag for tag in tags if tag in can_be_built]
    if ours:
        folder, logs = stack.settings.root / "images", stack.settings.state_folder / "logs"
        builder = debian.Builder(
            folder, logs, stack.runner, reporter, refresh=True, package=package
        )
        builder.ensure(ours)
    no_registry = any(not package or tag != package.tag for tag in ours)
    for tag in tags:
        if tag in ours:
            continue
        # No registry answers, and somebody brought it by hand.
        if no_registry or debian.is_ours(tag):
            reporter.note(f"left as it is: {tag}")
        else:
            image_sources.pull(stack, reporter, tag)


def made(stack: Stack, image: str) -> datetime | None:
    """When `image` was built, by us or by its publisher; None where it is not in the engine."""
    argv = ["docker", "image", "inspect", "--format", "{{.Created}}", image]
    done = stack.runner.run(argv, timeout=_INSPECT_TIMEOUT, check=False)
    if not done.ok:
        return None
    try:
        return datetime.fromisoformat(done.stdout.strip()[:19]).replace(tzinfo=UTC)
    except ValueError as error:
        raise OpsError(f"Docker tells no age of {image}: {done.stdout.strip()!r}") from error


def listing(stack: Stack) -> tuple[Table, str]:
    """Variable, image, id and day of each image ('' where it is not there), and what to do.

    The second is '' where none of them is old.
    """
    found = [(row, made(stack, row[1])) for row in images.in_use(stack)]
    rows = [(*row, f"{moment:%Y-%m-%d}" if moment else "") for row, moment in found]
    known = [moment for _, moment in found if moment]
    return Table(_HEADER, rows), _advice(known, datetime.now(UTC))


def _advice(moments: list[datetime], now: datetime) -> str:
    days = (now - min(moments, default=now)).days
    if days < _OLD_DAYS:
        return ""
    return f"The oldest is {days} days old; for fixes since then: inv images --refresh, inv up"
