"""Which versions run here."""

import re
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.process import SystemRunner
from scripts.core.redact import redactor
from scripts.core.settings import Settings
from scripts.stack import image_facts, image_names

_TIMEOUT: Final = 10.0
_NONE: Final = ("not installed", "not running")
_ENGINE: Final = ("docker", "version", "--format", "{{.Server.Version}}")
_RELEASE: Final = re.compile(r"^## \[?(\d+\.\d+\.\d+)", re.MULTILINE)


def lines() -> list[str]:
    """The versions of the platform, Odoo, Compose and the engine, a line each.

    What cannot be known here is said to be: a bug report is of use without it, too.
    """
    settings = Settings.load()
    runner = SystemRunner(redact=redactor(settings.secrets_folder))
    image = image_names.effective(settings)["ODOO_IMAGE"]
    return [
        f"ipai-platform {_platform(settings, runner)}",
        f"Odoo {_odoo(runner, image)} ({image})",
        f"Docker Compose {_version(runner, 'docker', 'compose', 'version', '--short')}",
        f"Docker Engine {_version(runner, *_ENGINE)}",
    ]


def _platform(settings: Settings, runner: SystemRunner) -> str:
    """The version of this project, with the commit where git knows it."""
    changes = (settings.root / "CHANGELOG.md").read_text(encoding="utf-8")
    found = _RELEASE.search(changes)
    git = ["git", "-C", str(settings.root), "describe", "--always", "--dirty", "--abbrev=10"]
    commit = _version(runner, *git)
    release = found[1] if found else "of an unknown version"
    return release if commit in _NONE else f"{release} ({commit})"


def _odoo(runner: SystemRunner, image: str) -> str:
    try:
        return image_facts.odoo_version(runner, image) or "not known"
    except OpsError:
        return "not known"


def _version(runner: SystemRunner, *argv: str) -> str:
    """What the program `argv` says, or one of _NONE."""
    not_installed, not_running = _NONE
    try:
        done = runner.run(argv, timeout=_TIMEOUT, check=False)
    except OpsError:
        return not_installed
    return done.stdout.strip() if done.ok and done.stdout.strip() else not_running
