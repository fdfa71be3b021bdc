"""The volumes with a database cluster: the one in use, and those of before an upgrade."""

import re
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.settings import Settings, peek
from scripts.stack.compose import Stack

VARIABLE: Final = "POSTGRES_VOLUME"
DEFAULT: Final = "odoo_db_data"
_SECONDS: Final = 120.0


def suffix(settings: Settings) -> str:
    """The value of POSTGRES_VOLUME: the name of the volume without that of the project."""
    return peek(VARIABLE, settings.root) or DEFAULT


def in_use(settings: Settings) -> str:
    """The volume that the platform's PostgreSQL works on."""
    return f"{settings.project}_{suffix(settings)}"


def others(stack: Stack) -> list[str]:
    """Those that an upgrade, or its way back, has left; by name."""
    argv = ["docker", "volume", "ls", "--format", "{{.Name}}"]
    found = stack.runner.run(argv, timeout=_SECONDS).stdout.split()
    own = re.compile(rf"{re.escape(stack.settings.project)}_{DEFAULT}(_[0-9]+)?")
    return sorted({name for name in found if own.fullmatch(name)} - {in_use(stack.settings)})


def make(stack: Stack, name: str) -> None:
    """Make the volume `name`, unless there is one, as Compose would.

    Compose itself makes none beside one of an earlier version of its own, which has no hash of
    its configuration; Docker then makes one without any label.
    """
    labels = {"project": stack.settings.project, "volume": DEFAULT}
    marks = [f"--label=com.docker.compose.{key}={value}" for key, value in labels.items()]
    argv = ["docker", "volume", "create", *marks, name]
    stack.runner.run(argv, timeout=_SECONDS, changes=True)


def drop(stack: Stack, *names: str) -> None:
    """Remove volumes for good; raises OpsError where a container uses one."""
    for name in names:
        argv = ["docker", "volume", "rm", name]
        done = stack.runner.run(argv, timeout=_SECONDS, check=False, changes=True)
        if not done.ok and "no such volume" not in done.stderr.lower():
            raise OpsError(f"{name} was not removed: {done.last_line}", "Try again.")


def major(stack: Stack, name: str, image: str) -> int:
    """The major version of PostgreSQL that wrote the volume `name`; 0 where none did.

    `image` is any that is in the engine and has `cat`.
    """
    look = ["docker", "run", "--rm", "--pull", "never", "--network", "none", "--entrypoint", "cat"]
    mount = ["--volume", f"{name}:/volume:ro", image, "/volume/PG_VERSION"]
    done = stack.runner.run([*look, *mount], timeout=_SECONDS, check=False)
    text = done.stdout.strip()
    return int(text) if done.ok and text.isdigit() else 0
