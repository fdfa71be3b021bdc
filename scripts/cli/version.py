"""Which versions run here."""

from typing import Final

from scripts.core.errors import OpsError
from scripts.core.process import SystemRunner
from scripts.core.redact import redactor
from scripts.core.settings import Settings
from scripts.stack import image_facts, image_names, release

_TIMEOUT: Final = 10.0
_ENGINE: Final = ("docker", "version", "--format", "{{.Server.Version}}")


def lines() -> list[str]:
    """The versions of the platform, Odoo, Compose and the engine, a line each.

    What cannot be known here is said to be: a bug report is of use without it, too.
    """
    settings = Settings.load()
    runner = SystemRunner(redact=redactor(settings.secrets_folder))
    image = image_names.effective(settings)["ODOO_IMAGE"]
    return [
        f"ipai-platform {release.here(settings, runner).name}",
        f"Odoo {_odoo(runner, image)} ({image})",
        f"Docker Compose {_version(runner, 'docker', 'compose', 'version', '--short')}",
        f"Docker Engine {_version(runner, *_ENGINE)}",
    ]


def _odoo(runner: SystemRunner, image: str) -> str:
    try:
        return image_facts.odoo_version(runner, image) or "not known"
    except OpsError:
        return "not known"


def _version(runner: SystemRunner, *argv: str) -> str:
    """What the program `argv` says, or why it says nothing."""
    try:
        done = runner.run(argv, timeout=_TIMEOUT, check=False)
    except OpsError:
        return "not installed"
    return done.stdout.strip() if done.ok and done.stdout.strip() else "not running"
