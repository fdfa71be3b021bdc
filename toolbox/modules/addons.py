"""What modules there are on the addons path of this Odoo."""

import ast
import contextlib
import difflib
import importlib.metadata
import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import odoo_versions

from toolbox.core.errors import Failure

OURS = Path("/mnt/extra-addons")
ENTERPRISE = Path("/mnt/enterprise")
_MANIFEST = "__manifest__.py"


@dataclass(frozen=True)
class Addon:
    """A module on disk."""

    name: str
    path: Path
    title: str
    version: str  # as Odoo would enter it: with the series in front
    installable: bool
    depends: tuple[str, ...]
    python: tuple[str, ...]
    programs: tuple[str, ...]
    source: str


@cache
def _odoo() -> Any:
    """Odoo's package, with its options read and its addons path made."""
    import odoo
    import odoo.modules.module
    from odoo.tools import config

    arguments = ["-c", os.environ["ODOO_RC"]]
    config.parse_config(arguments, setup_logging=False)
    odoo.modules.module.initialize_sys_path()
    return odoo


@cache
def on_disk() -> dict[str, Addon]:
    """Every module of the addons path by its name; the first of a name counts, as in Odoo."""
    odoo = _odoo()
    core, packages = Path(odoo.__path__[-1]) / "addons", _packages()
    found: dict[str, Addon] = {}
    for folder in map(Path, dict.fromkeys(odoo.addons.__path__)):
        for manifest in sorted(folder.glob(f"*/{_MANIFEST}")):
            name = manifest.parent.name
            if name not in found and (values := _read(manifest)):
                found[name] = _addon(
                    manifest.parent, values, _source(manifest.parent, core, packages)
                )
    return found


def _read(manifest: Path) -> dict[str, Any]:
    try:
        values = ast.literal_eval(manifest.read_text())
    except (OSError, ValueError, TypeError, SyntaxError, RecursionError):
        return {"installable": False, "summary": "its manifest cannot be read"}
    return values if isinstance(values, dict) else {}


def _addon(path: Path, values: Mapping[str, Any], source: str) -> Addon:
    _odoo()
    version, valid = str(values.get("version", "1.0")), False
    with contextlib.suppress(ValueError):
        version, valid = odoo_versions.manifest_version(version), True
    outside = values.get("external_dependencies")
    outside = outside if isinstance(outside, dict) else {}
    depends = _words(values.get("depends")) or (() if path.name == "base" else ("base",))
    return Addon(
        path.name,
        path,
        str(values.get("name", path.name)),
        version,
        bool(values.get("installable", True)) and valid,
        depends,
        _words(outside.get("python")),
        _words(outside.get("bin")),
        source,
    )


def _words(value: object) -> tuple[str, ...]:
    """Those of a list; one odd manifest must not keep all the others from being seen."""
    return tuple(map(str, value)) if isinstance(value, list | tuple) else ()


def _source(path: Path, core: Path, packages: Mapping[str, str]) -> str:
    if path.name in packages:
        return packages[path.name]
    if path.is_relative_to(OURS):
        return str(Path("odoo/addons") / path.parent.relative_to(OURS))
    if path.is_relative_to(ENTERPRISE):
        return "enterprise"
    return "odoo" if path.parent == core or "dist-packages/odoo" in str(path) else str(path.parent)


def _packages() -> dict[str, str]:
    """The modules that came from PyPI, each with the package that brought it."""
    found = {}
    for package in importlib.metadata.distributions():
        name = package.metadata["Name"] or ""
        if not name.lower().replace("_", "-").startswith("odoo-addon"):
            continue
        for file in package.files or ():
            if file.parts[:2] == ("odoo", "addons") and file.name == _MANIFEST:
                found[file.parts[2]] = f"{name} {package.version}"
    return found


def look_up(names: Iterable[str], disk: Mapping[str, Addon]) -> list[Addon]:
    """Those modules, which can be installed; raises Failure that says what was meant."""
    found = []
    for name in names:
        if name not in disk:
            close = difflib.get_close_matches(name, disk, n=3, cutoff=0.6)
            meant = f"Did you mean {' or '.join(close)}?" if close else "See: inv module.list --all"
            raise Failure(f"there is no module {name!r} on the addons path", meant)
        if not disk[name].installable:
            raise Failure(
                f"the module {name!r} cannot be installed on this Odoo",
                f"Its manifest, {disk[name].path / _MANIFEST}, says so, or names another version.",
            )
        found.append(disk[name])
    return found


def needed(names: Iterable[str], there: Collection[str], disk: Mapping[str, Addon]) -> list[str]:
    """What an installation of `names` would install; raises Failure for what is missing.

    `there` are the modules that are installed already.
    """
    wanted: list[str] = []
    queue = list(names)
    while queue:
        name = queue.pop(0)
        if name in there or name in wanted:
            continue
        wanted.append(name)
        for depends in disk[name].depends:
            if depends not in disk or not disk[depends].installable:
                raise Failure(
                    f"the module {name!r} needs the module {depends!r}, which is not there",
                    "Put it into odoo/addons, or its package into odoo/requirements.txt.",
                )
            queue.append(depends)
    return wanted


def require_external(addons: Iterable[Addon]) -> None:
    """Raises Failure unless the Python packages and programs of `addons` are here."""
    check = _odoo().modules.module.check_python_external_dependency
    for addon in addons:
        for package in addon.python:
            try:
                check(package)
            except Exception as error:  # a bare Exception in 18, one of its own in 19
                raise Failure(
                    f"the module {addon.name!r} needs the Python package {package!r}: {error}",
                    "Put it into odoo/requirements.txt, then: inv images, inv up",
                ) from error
        for program in addon.programs:
            if not shutil.which(program):
                raise Failure(f"the module {addon.name!r} needs the program {program!r}")
