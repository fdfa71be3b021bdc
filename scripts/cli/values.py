"""What the values of options can be, as far as it is known without asking anything.

No Docker, no network, and no setting that has to be right: a shell waits for the answer.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from scripts.core import check_names, known_names
from scripts.core.settings import ROOT, peek

# In the place of a value: what the shell itself completes.
FILES: Final = ":files"

_STATE: Final = ".state"
_LATEST: Final = "latest"
_LISTS: Final = frozenset({"modules", "install", "names", "only_"})
_MODES: Final = ("selfsigned", "letsencrypt")
_TARGETS: Final = ("local", "cloud")
_JOB_STATES: Final = ("queued", "running", "completed", "cancelled", "dead")
_JOB_TYPES: Final = ("sync_odoo", "notify_slack", "webhook", "http")
_MODULE_STATES: Final = ("installed", "uninstalled", "to install", "to upgrade", "to remove")
_MAINTENANCE: Final = ("on", "off", "status")
_TESTS: Final = ("unit", "static", "e2e")
_SERIES: Final = ("18", "19")
_POSTGRES: Final = ("17", "18")
_SERVICE: Final = re.compile(r"^  ([a-z0-9_-]+):", re.MULTILINE)
_SERVICES: Final = re.compile(r"^services:\n(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)
_IN_WHEEL: Final = re.compile(r"odoo/addons/([a-z0-9_]+)/__manifest__\.py", re.IGNORECASE)


def of(command: str, attribute: str, root: Path = ROOT) -> list[str]:
    """What the parameter `attribute` of `command` can be; FILES stands for every path."""
    known = _KNOWN.get(f"{command} {attribute}", _KNOWN.get(attribute))
    return known(root) if known else []


def takes_list(attribute: str) -> bool:
    """Whether several may be given, with commas between."""
    return attribute in _LISTS


def _choices(*values: str) -> Callable[[Path], list[str]]:
    return lambda _: list(values)


def _services(root: Path) -> list[str]:
    found: set[str] = set()
    for name in ("compose.yaml", "compose.prod.yaml"):
        if block := _SERVICES.search(_text(root / name)):
            found |= set(_SERVICE.findall(block[1]))
    return sorted(found)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _modules(root: Path) -> list[str]:
    """Those of odoo/addons, of its repositories, of Enterprise, of wheels, and others seen last."""
    addons = root / "odoo" / "addons"
    enterprise = peek("ODOO_ENTERPRISE", root) or "odoo/enterprise"
    folders = [addons, root / Path(enterprise).expanduser()]
    found = {
        manifest.parent.name
        for folder in folders
        for depth in ("*", "*/*")
        for manifest in folder.glob(f"{depth}/__manifest__.py")
        if not any(part.startswith(".") for part in manifest.relative_to(folder).parts)
    }
    for wheel in (root / "odoo" / "wheels").glob("*.whl"):
        found |= _in_wheel(wheel)
    return sorted(found | set(_seen(known_names.MODULES)(root)))


def _in_wheel(wheel: Path) -> set[str]:
    from zipfile import BadZipFile, ZipFile  # which takes its time, and is hardly ever wanted

    try:
        with ZipFile(wheel) as archive:
            return set(_IN_WHEEL.findall("\n".join(archive.namelist())))
    except (OSError, BadZipFile):
        return set()


def _databases(root: Path) -> list[str]:
    own = peek("ODOO_DATABASE", root) or "odoo"
    return sorted({own, *_seen(known_names.DATABASES)(root)})


def _seen(kind: str) -> Callable[[Path], list[str]]:
    return lambda root: known_names.recall(root / _STATE, kind)


def _backups(root: Path) -> list[str]:
    """The newest first: their names begin with their time."""
    return [_LATEST, *reversed(_seen(known_names.BACKUPS)(root))]


def _sources(root: Path) -> list[str]:
    return [*_backups(root), FILES]


def _secrets(root: Path) -> list[str]:
    return ["all", *sorted(path.stem for path in (root / "secrets.example").glob("*.txt"))]


# By the parameter, and where another command has a parameter of that name by both.
_KNOWN: Final[Mapping[str, Callable[[Path], list[str]]]] = {
    "service": _services,
    "modules": _modules,
    "module": _modules,
    "install": _modules,
    "database": _databases,
    "db.drop name": _databases,
    "db.copy source": _databases,
    "to_database": _databases,
    "backup.show id": _backups,
    "backup.verify id": _backups,
    "restore source": _sources,
    "swarm.restore source": _backups,
    "plain": _choices(FILES),
    "doctor file": _choices(FILES),
    "metrics": _choices(FILES),
    "zip": _choices(FILES),
    "odoo_package": _choices(FILES),
    "snapshot": _seen(known_names.SNAPSHOTS),
    "names": _secrets,
    "who": _choices("admin"),
    "mode": _choices(*_MODES),
    "target": _choices(*_TARGETS),
    "type": _choices(*_JOB_TYPES),
    "jobs status": _choices(*_JOB_STATES),
    "module.list state": _choices(*_MODULE_STATES),
    "maintenance state": _choices(*_MAINTENANCE),
    "only": _choices(*_TESTS),
    "only_": _choices(*check_names.WORDS),
    "odoo": _choices(*_SERIES),
    "postgres.upgrade to": _choices(*_POSTGRES),
}
