"""What modules there are: on the addons path of this Odoo, and in a database."""

import ast
import contextlib
import difflib
import hashlib
import importlib.metadata
import json
import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from common import Failure

import postgres

OURS = Path("/mnt/extra-addons")
PARAMETER = "ipai.modules.checksums"
_MANIFEST = "__manifest__.py"
_TAKEN = 16  # hexadecimal digits of a checksum: 64 bits tell two versions of a module apart
_NO_CODE = {"static", "tests", "__pycache__", "node_modules"}


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


@dataclass(frozen=True)
class Entry:
    """A module in a database."""

    state: str
    version: str  # that was installed or updated last; '' if never


@dataclass(frozen=True)
class Checksum:
    """Of all that an update reads, and of the Python code alone, which a server keeps loaded."""

    content: str
    code: str


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


def series() -> tuple[int, ...]:
    """Of this Odoo, such as (18, 0)."""
    import odoo.release

    major, minor = odoo.release.version_info[:2]
    return (int(str(major).rpartition("~")[2].rpartition("-")[2]), int(minor))


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
    module = _odoo().modules.module
    version, valid = str(values.get("version", "1.0")), True
    with contextlib.suppress(ValueError):
        version = module.adapt_version(version)
        valid = bool(module.check_version(version, should_raise=False))
    outside = values.get("external_dependencies")
    outside = outside if isinstance(outside, dict) else {}
    depends = _words(values.get("depends")) or (() if path.name == "base" else ("base",))
    return Addon(
        path.name, path, str(values.get("name", path.name)), version,
        bool(values.get("installable", True)) and valid,
        depends, _words(outside.get("python")), _words(outside.get("bin")), source,
    )  # fmt: skip


def _words(value: object) -> tuple[str, ...]:
    """Those of a list; one odd manifest must not keep all the others from being seen."""
    return tuple(map(str, value)) if isinstance(value, list | tuple) else ()


def _source(path: Path, core: Path, packages: Mapping[str, str]) -> str:
    if path.name in packages:
        return packages[path.name]
    if path.is_relative_to(OURS):
        return str(Path("odoo/addons") / path.parent.relative_to(OURS))
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


def look_up(names: Iterable[str]) -> list[Addon]:
    """Those modules, which can be installed; raises Failure that says what was meant."""
    known, found = on_disk(), []
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
            meant = f"Did you mean {' or '.join(close)}?" if close else "See: inv module.list --all"
            raise Failure(f"there is no module {name!r} on the addons path", meant)
        if not known[name].installable:
            raise Failure(
                f"the module {name!r} cannot be installed on this Odoo",
                f"Its manifest, {known[name].path / _MANIFEST}, says so, or names another version.",
            )
        found.append(known[name])
    return found


def needed(names: Iterable[str], there: Collection[str]) -> list[str]:
    """What an installation of `names` would bring along; raises Failure for what is missing.

    `there` are the modules that are installed already.
    """
    wanted, queue = [], list(names)
    while queue:
        name = queue.pop(0)
        if name in there or name in wanted:
            continue
        wanted.append(name)
        for depends in on_disk()[name].depends:
            if depends not in on_disk() or not on_disk()[depends].installable:
                raise Failure(
                    f"the module {name!r} needs the module {depends!r}, which is not there",
                    "Put it into odoo/addons, or its package into odoo/requirements.txt.",
                )
            queue.append(depends)
    for name in wanted:
        _refuse_missing(on_disk()[name])
    return wanted


def _refuse_missing(addon: Addon) -> None:
    check = _odoo().modules.module.check_python_external_dependency
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


def refuse_no_odoo(database: str) -> None:
    """Raises Failure unless `database` is there and Odoo's."""
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        if not postgres.exists(cursor, database):
            raise Failure(f"there is no database {database!r}", "See: inv psql --command '\\l'")
    with closing(postgres.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.ir_module_module') IS NOT NULL")
        if not cursor.fetchone()[0]:
            raise Failure(f"{database!r} is no database of Odoo")


def in_database(database: str) -> dict[str, Entry]:
    """Every module that the database knows."""
    with closing(postgres.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT name, state, coalesce(latest_version, '') FROM ir_module_module")
        return {name: Entry(state, version) for name, state, version in cursor.fetchall()}


def installed(entries: Mapping[str, Entry]) -> list[str]:
    return sorted(n for n, e in entries.items() if e.state in ("installed", "to upgrade"))


def dependants(database: str, names: Collection[str]) -> list[str]:
    """The installed modules that build on `names`."""
    with closing(postgres.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE above AS (SELECT unnest(%s::text[]) AS name UNION"
            " SELECT m.name::text FROM above JOIN ir_module_module_dependency d"
            " ON d.name = above.name JOIN ir_module_module m ON m.id = d.module_id"
            " WHERE m.state IN ('installed', 'to upgrade'))"
            " SELECT name FROM above WHERE name <> ALL (%s) ORDER BY 1",
            (list(names), list(names)),
        )
        return [name for (name,) in cursor.fetchall()]


def checksum(addon: Addon, languages: Collection[str]) -> Checksum:
    """Of a module on disk, without tests, static files, and languages that nobody uses."""
    content, code = hashlib.sha256(), hashlib.sha256()
    for path in _files(addon.path):
        name = path.relative_to(addon.path)
        if name.parts[0] in ("i18n", "i18n_extra") and not _speaks(path, languages):
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        content.update(f"{name} {digest}\n".encode())
        if path.suffix == ".py" and name.parts[0] != "migrations":
            code.update(f"{name} {digest}\n".encode())
    return Checksum(content.hexdigest()[:_TAKEN], code.hexdigest()[:_TAKEN])


def _files(folder: Path) -> list[Path]:
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [n for n in folders if n not in _NO_CODE and not n.startswith(".")]
        kept = (n for n in names if not n.startswith(".") and not n.endswith((".pyc", "~", ".pot")))
        found += [Path(place) / name for name in kept]
    return sorted(found)


def _speaks(path: Path, languages: Collection[str]) -> bool:
    return path.suffix == ".po" and any(
        code == path.stem or code.partition("_")[0] == path.stem for code in languages
    )


def checksums(database: str, names: Iterable[str]) -> dict[str, Checksum]:
    """Of `names` as they are on disk now; of those that are there."""
    with closing(postgres.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT code FROM res_lang WHERE active")
        languages = [code for (code,) in cursor.fetchall()]
    return {n: checksum(on_disk()[n], languages) for n in names if n in on_disk()}


def remembered(database: str) -> dict[str, Checksum]:
    """What the modules were when they were updated last; empty if nobody has looked yet."""
    with closing(postgres.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT value FROM ir_config_parameter WHERE key = %s", (PARAMETER,))
        row = cursor.fetchone()
    try:
        return {name: Checksum(*pair) for name, pair in json.loads(row[0]).items()} if row else {}
    except (ValueError, TypeError, AttributeError):  # somebody wrote into it: look anew
        return {}


def remember(database: str, sums: Mapping[str, Checksum]) -> None:
    """Keep `sums` in the database itself, with which they are copied, restored and undone."""
    text = json.dumps({name: [s.content, s.code] for name, s in sorted(sums.items())})
    with closing(postgres.connect(database)) as connection, connection, connection.cursor() as c:
        c.execute(
            "INSERT INTO ir_config_parameter (key, value, create_uid, write_uid, create_date,"
            " write_date) VALUES (%s, %s, 1, 1, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC')"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value,"
            " write_date = excluded.write_date",
            (PARAMETER, text),
        )


def changed(
    entries: Mapping[str, Entry], known: Mapping[str, Checksum], now: Mapping[str, Checksum]
) -> list[str]:
    """The installed modules that are not on disk what they were when they were updated last.

    Of one that nobody has looked at yet the version decides: what is there is taken for
    what was installed.
    """
    return [
        name for name in installed(entries)
        if name in now and (
            known[name].content != now[name].content if name in known
            else entries[name].version != on_disk()[name].version
        )
    ]  # fmt: skip


def listed(database: str) -> dict[str, Any]:
    """Everything about every module, for `inv module.list` and `module.info`."""
    refuse_no_odoo(database)
    entries, disk = in_database(database), on_disk()
    now, known = checksums(database, installed(entries)), remembered(database)
    differing = set(changed(entries, known, now))
    rows = []
    for name in sorted({*entries, *disk}):
        addon, entry = disk.get(name), entries.get(name, Entry("uninstalled", ""))
        if not addon and entry.state in ("uninstalled", "uninstallable"):
            continue  # Odoo remembers every module it has ever seen
        rows.append({
            "name": name, "state": entry.state, "installed": entry.version,
            "on_disk": addon.version if addon else "", "changed": name in differing,
            "missing": addon is None, "source": addon.source if addon else "",
            **({k: v for k, v in asdict(addon).items() if k in _DETAILS} if addon else {}),
        })  # fmt: skip
    return {"database": database, "modules": rows}


_DETAILS = ("path", "title", "installable", "depends", "python", "programs")
