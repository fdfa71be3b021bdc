"""Images as they would be if they were made today: with the fixes that came out since."""

from datetime import UTC, datetime
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.files import file_lock
from scripts.core.report import Reporter
from scripts.stack import debian, image_names, image_sources, images, odoo_package
from scripts.stack.compose import Stack

_OLD_DAYS: Final = 30  # Debian and the official images get fixes every week or two
_INSPECT_TIMEOUT: Final = 60.0


def refresh(stack: Stack, reporter: Reporter) -> None:
    """Pull or build every image that is in use, whether or not it is there.

    Names and versions stay as they are; the platform's own images are built on what that has
    brought. Raises OpsError where one cannot be had: the former is in use then, and whole.
    """
    images.ensure(stack, reporter, image_names.BACKUP)  # decides where they come from
    if stack.runner.dry:
        return
    with file_lock(stack.settings.state_folder / "images.lock", "images --refresh"):
        used = image_names.effective(stack.settings)
        names = [
            name
            for name in (
                *image_names.PULLED,
                image_names.BACKUP,
                image_names.CERTBOT,
                image_names.POSTGREST,
            )
            if made(stack, used[name])
        ]
        tags = list(dict.fromkeys(used[name] for name in names))
        package = odoo_package.named(stack.settings.odoo_package, stack.settings.root)
        can_be_built = {*debian.VARIABLES.values(), package.tag if package else ""}
        ours = [tag for tag in tags if tag in can_be_built]
        if ours:
            folder, logs = stack.settings.root / "images", stack.settings.state_folder / "logs"
            builder = debian.Builder(
                folder, logs, stack.runner, reporter, refresh=True, package=package
            )
            builder.ensure(ours)
        no_registry = any(not package or tag != package.tag for tag in ours)
        for tag in tags:
            if tag not in ours and (
                no_registry or debian.is_ours(tag)
            ):  # no registry answers, and somebody brought it by hand
                reporter.note(f"left as it is: {tag}")
            elif tag not in ours:
                image_sources.pull(stack, reporter, tag)
    images.ensure(stack, reporter, image_names.BACKUP)


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


def listing(stack: Stack) -> tuple[list[tuple[str, str, str, str]], str]:
    """Variable, image, id and day of each image ('' where it is not there), and what to do.

    The second is '' where none of them is old.
    """
    found = [(row, made(stack, row[1])) for row in images.in_use(stack)]
    rows = [(*row, f"{moment:%Y-%m-%d}" if moment else "") for row, moment in found]
    return rows, _advice([moment for _, moment in found if moment], datetime.now(UTC))


def _advice(moments: list[datetime], now: datetime) -> str:
    days = (now - min(moments, default=now)).days
    if days < _OLD_DAYS:
        return ""
    return f"The oldest is {days} days old; for fixes since then: inv images --refresh, inv up"
