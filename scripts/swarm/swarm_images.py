"""The images of the nodes: the platform's own, with the folders that Compose mounts."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from scripts.core.errors import OpsError
from scripts.core.report import Reporter
from scripts.stack import image_build, image_facts
from scripts.stack.compose import Stack

_PUSH_SECONDS: Final = 3600


def build(stack: Stack, reporter: Reporter, merged: Mapping[str, Any]) -> dict[str, str]:
    """Build them; the names to deploy, which tell the content, by those in the compose files.

    Raises OpsError with the last lines of a build that fails.
    """
    built = {
        name: service["image"]
        for name, service in merged["services"].items()
        if service.get("build")
    }
    stack.settings.state_folder.mkdir(parents=True, exist_ok=True)
    log = stack.settings.state_folder / "swarm-images.log"
    argv = stack.argv("build", *built)
    with reporter.step("Building the images of the nodes"):
        image_build.logged(stack.runner, argv, log, on_line=image_build.steps(reporter, "images"))
    if stack.runner.dry:
        return {}
    images = list(dict.fromkeys(built.values()))
    found = image_facts.ids(stack.runner, images)
    named = {image: _named(image, number) for image, number in zip(images, found, strict=True)}
    for image, name in named.items():
        stack.runner.run(["docker", "tag", image, name], timeout=60, changes=True)
    return named


def _named(image: str, number: str) -> str:
    return f"{image.rpartition(':')[0]}:{number.removeprefix('sha256:')[:12]}"


def spread(
    stack: Stack, reporter: Reporter, images: Sequence[str], *, nodes: int, loaded: bool
) -> None:
    """See to it that all nodes can have `images`; raises OpsError where they cannot."""
    if not stack.settings.swarm.registry:
        if nodes > 1 and not loaded:
            raise OpsError(
                "the images are on this machine only",
                "Set SWARM_REGISTRY in .env, which all nodes reach; or load them on each:"
                f" docker save {' '.join(images)} | ssh NODE docker load,"
                " then: inv swarm.deploy --loaded",
            )
        return
    for image in images:
        with reporter.step(f"Pushing {image}"):
            stack.runner.run(
                ["docker", "push", "--quiet", image], timeout=_PUSH_SECONDS, changes=True
            )
