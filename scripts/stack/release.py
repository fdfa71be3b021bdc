"""Which version of the platform this is, and which was started last."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.files import write_atomic
from scripts.core.process import Runner
from scripts.core.settings import Settings

_TIMEOUT: Final = 10.0
_VERSION: Final = re.compile(r"^## \[?(\d+\.\d+\.\d+)", re.MULTILINE)
_VARIABLE: Final = re.compile(r"^#?([A-Z][A-Z0-9_]*)=", re.MULTILINE)
_FILE: Final = "started.json"


@dataclass(frozen=True)
class Release:
    """A version of the platform, as it is on disk."""

    version: str  # of CHANGELOG.md; '' where that names none
    commit: str  # as git describes it; '' where there is no repository, or no git
    settings: tuple[str, ...] = ()  # the variables of .env.example

    @property
    def name(self) -> str:
        """For people."""
        version = self.version or "of an unknown version"
        return f"{version} ({self.commit})" if self.commit else version


def here(settings: Settings, runner: Runner) -> Release:
    """That of the files in this folder."""
    found = _VERSION.search(_text(settings.root / "CHANGELOG.md"))
    example = _text(settings.root / ".env.example")
    return Release(found[1] if found else "", _commit(settings, runner), variables(example))


def variables(text: str) -> tuple[str, ...]:
    """The names of the variables in the text of an `.env`, those of comments too."""
    return tuple(dict.fromkeys(_VARIABLE.findall(text)))


def _commit(settings: Settings, runner: Runner) -> str:
    git = ["git", "-C", str(settings.root), "describe", "--always", "--dirty", "--abbrev=10"]
    try:
        done = runner.run(git, timeout=_TIMEOUT, check=False)
    except OpsError:
        return ""
    return done.stdout.strip() if done.ok else ""


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def remember(settings: Settings, release: Release) -> None:
    """Note that `release` was started."""
    settings.state_folder.mkdir(parents=True, exist_ok=True)
    data = json.dumps(asdict(release)).encode()
    write_atomic(settings.state_folder / _FILE, data)


def started(settings: Settings) -> Release | None:
    """That which was started last; None where that is not known."""
    try:
        found = json.loads((settings.state_folder / _FILE).read_text(encoding="utf-8"))
        names = tuple(str(name) for name in found["settings"])
        return Release(str(found["version"]), str(found["commit"]), names)
    except (OSError, ValueError, KeyError, TypeError):
        return None
