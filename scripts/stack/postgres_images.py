"""The images of each major version of PostgreSQL that the platform runs on."""

import re
from collections.abc import Mapping
from typing import Final

from scripts.core.errors import OpsError, UsageError
from scripts.core.settings import Settings
from scripts.stack import debian, image_names, image_sources
from scripts.stack.compose import Stack

SERVER: Final = "POSTGRES_IMAGE"
NEWEST: Final = 18
# Of 16 they are the defaults of compose.yaml.
_OFFICIAL: Final[Mapping[int, str]] = {17: "postgres:17-trixie", 18: "postgres:18-trixie"}
_BUILT: Final = {major: tag for tag, major in debian.SERVERS.items()}


def chosen(settings: Settings, major: int, image: str = "") -> dict[str, str]:
    """The variables of `.env` with which the platform runs on PostgreSQL `major`.

    `image` is that of the server, where it is none of those that the platform knows. Raises
    UsageError where it has to be named, and OpsError where no image can be had.
    """
    named = image_names.effective(settings)
    official = _official(settings, major)
    if image:
        server, base = image, named[image_names.BACKUP]
        base = image if _is_known(settings, base) else base
    elif debian.is_ours(named[SERVER]):
        if major not in _BUILT:
            known = ", ".join(str(number) for number in sorted(_BUILT))
            raise OpsError(
                f"no image of PostgreSQL {major} can be built from packages here, only of {known}",
                "Load one (docker load), and name it: --image IMAGE",
            )
        server = base = _BUILT[major]
    elif _is_known(settings, named[SERVER]):
        server, base = official[SERVER], official[image_names.BACKUP]
    else:
        raise UsageError(
            f"{SERVER}={named[SERVER]} is an image of your own",
            f"Name yours of PostgreSQL {major}: --image IMAGE",
        )
    # Its name bears the version, so that the one in use stays as it is.
    backup = re.sub(r":\d+$", f":{major}", named["BACKUP_IMAGE"])
    return {SERVER: server, image_names.BACKUP: base, "BACKUP_IMAGE": backup}


def _official(settings: Settings, major: int) -> Mapping[str, str]:
    if major in _OFFICIAL:
        return dict.fromkeys((SERVER, image_names.BACKUP), _OFFICIAL[major])
    return image_names.official(settings.root, settings.project)


def _is_known(settings: Settings, image: str) -> bool:
    defaults = image_names.official(settings.root, settings.project)
    known = (defaults[SERVER], defaults[image_names.BACKUP], *_OFFICIAL.values())
    return image in known or debian.is_ours(image)


def major_of(stack: Stack, image: str) -> int:
    """The major version that an image in the engine says it has (PG_MAJOR); 0 if it says none."""
    form = "{{range .Config.Env}}{{println .}}{{end}}"
    argv = ["docker", "image", "inspect", "--format", form, image]
    done = stack.runner.run(argv, timeout=60, check=False)
    found = re.search(r"^PG_MAJOR=(\d+)$", done.stdout, re.MULTILINE)
    return int(found[1]) if found else 0


def bring(stack: Stack, major: int, server: str, build: debian.Builder) -> None:
    """Get the image `server` into the engine; raises OpsError where it is not of `major`."""
    if debian.is_ours(server):
        build.ensure([server])
    elif not image_sources.exists(stack, server):
        image_sources.pull(stack, build.reporter, server)
    found = major_of(stack, server)
    if found != major:
        said = f"has PostgreSQL {found}" if found else "does not say which PostgreSQL it has"
        raise UsageError(f"the image {server} {said}, and not {major}", "Name another: --image")
