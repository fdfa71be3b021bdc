"""An engine as far as images are concerned: what it has, pulls and builds."""

from pathlib import Path
from typing import Final

from scripts.core.completed import Completed
from scripts.stack import debian, image_names
from tests.unit.support.fakes import FakeReporter, FakeRunner, says

LABEL: Final = "docker image inspect --format " + '{{index .Config.Labels "ipai.source"}} '
NO_ROUTE: Final = says(code=1, stderr="Error: dial tcp: lookup registry.invalid: no such host")


def builder(root: Path) -> debian.Builder:
    """The builder of the project in `root`."""
    return debian.Builder(root / "images", root / "logs", FakeRunner(), FakeReporter())


def engine_with_debian(root: Path, pull: Completed) -> FakeRunner:
    """An engine without official images, in which the Debian ones are built already."""
    tags = (
        debian.BASE,
        *(
            debian.VARIABLES[name]
            for name in (*image_names.PULLED, image_names.CERTBOT, image_names.MAIL_CATCHER)
        ),
    )
    return FakeRunner(
        {
            "docker image inspect": says(code=1, stderr="No such image"),
            "docker pull": pull,
            **{LABEL + tag: says(builder(root).source(tag) + "\n") for tag in tags},
        }
    )


def built_with_docker(runner: FakeRunner) -> list[str]:
    """The names of the images that were built."""
    builds = [argv for argv in runner.calls if argv[:2] == ["docker", "build"]]
    return [argv[argv.index("--tag") + 1] for argv in builds]
