"""What the engine knows about images, asked about all of them in one call."""

from collections.abc import Sequence
from typing import Final

from scripts.core.process import Runner

LABEL: Final = "ipai.source"
_SOURCE: Final = "{{index .Config.Labels " + f'"{LABEL}"' + "}}"


def sources(runner: Runner, images: Sequence[str]) -> list[str]:
    """What each was built from, or '' if it does not exist or was not built by us."""
    return _inspect(runner, images, _SOURCE)


def odoo_version(runner: Runner, image: str) -> str:
    """Such as 18.0: what the official image says of itself, and ours, too; '' if it does not."""
    said = "{{range .Config.Env}}{{println .}}{{end}}"
    for line in _inspect(runner, [image], said)[0].splitlines():
        name, _, value = line.partition("=")
        if name == "ODOO_VERSION":
            return value
    return ""


def ids(runner: Runner, images: Sequence[str]) -> list[str]:
    """The id of each, with its algorithm before it, or '' if it is not in the engine."""
    form = "{{.Repository}}:{{.Tag}} {{.ID}}"
    argv = ["docker", "image", "ls", "--no-trunc", "--format", form]
    lines = runner.run(argv, timeout=60).stdout.splitlines() if len(images) > 1 else []
    known = dict(line.rsplit(" ", 1) for line in lines)
    # A name may have a form of its own, with a digest or without a tag.
    return [known.get(name) or _inspect(runner, [name], "{{.Id}}")[0] for name in images]


def _inspect(runner: Runner, images: Sequence[str], form: str) -> list[str]:
    if not images:
        return []
    argv = ["docker", "image", "inspect", "--format", form, *images]
    done = runner.run(argv, timeout=60, check=False)
    if len(images) == 1:
        return [done.stdout.strip() if done.ok else ""]
    if done.ok:
        return [line.strip() for line in done.stdout.splitlines()]
    # One is missing, and the answer does not say which.
    return [found for image in images for found in _inspect(runner, [image], form)]
