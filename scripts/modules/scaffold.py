"""A new module of one's own, made from the one in odoo/scaffold."""

import json
import keyword
import re
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Final

from scripts.core.errors import OpsError, UsageError
from scripts.core.report import Reporter
from scripts.core.settings import Settings
from scripts.stack import image_names
from scripts.stack.compose import Stack

_TEMPLATE: Final = "my_module"
# No underscore at the end and no two together: names of models are made of it by dots.
_NAME: Final = r"(?=.{2,50}$)[a-z][a-z0-9]*(_[a-z0-9]+)*"
_ALWAYS: Final = frozenset({"base", "web"})  # of any Odoo
_LIST: Final = """
import glob, json, os, sys
found = [p for place in sys.path for p in glob.glob(f"{place}/odoo/addons/*/__manifest__.py")]
print(json.dumps(sorted({os.path.basename(os.path.dirname(path)) for path in found})))
"""
_LIST_SECONDS: Final = 60


def brought(stack: Stack, reporter: Reporter) -> frozenset[str]:
    """The names of the modules that the image of Odoo brings.

    Of hardly any where there is no image, or no engine, which is said.
    """
    image = image_names.effective(stack.settings)["ODOO_IMAGE"]
    program = ["docker", "run", "--rm", "--network", "none", "--pull", "never"]
    argv = [*program, "--entrypoint", "python3", image, "-c", _LIST]
    try:
        done = stack.runner.run(argv, timeout=_LIST_SECONDS, check=False)
        return _ALWAYS | frozenset(json.loads(done.stdout))
    except (OpsError, ValueError):
        reporter.note("note: the name is not compared with Odoo's own modules, for want of it")
        return _ALWAYS


def create(settings: Settings, name: str, taken: Collection[str] = _ALWAYS) -> Path:
    """Make the module `name` in odoo/addons; returns its folder.

    `taken` are the names of Odoo's own. Raises UsageError for a name that cannot be had,
    and OpsError if it cannot be written; nothing is left then.
    """
    addons = settings.root / "odoo" / "addons"
    _check(addons, name, taken)
    try:
        # Hidden: neither Odoo nor what watches for changes looks at it before it is whole.
        with tempfile.TemporaryDirectory(dir=addons, prefix=f".{name}.") as partial:
            made = Path(partial) / name
            _copy(settings.root / "odoo" / "scaffold" / _TEMPLATE, made, name)
            return made.rename(addons / name)
    except OSError as error:
        raise OpsError(
            f"cannot make odoo/addons/{name}: {error.strerror}",
            "Free some disk space or fix the permissions, then run it again.",
        ) from error


def require_name(name: str) -> None:
    """Raises UsageError for what can be the name of no module."""
    if not re.fullmatch(_NAME, name) or keyword.iskeyword(name):
        raise UsageError(
            f"{name!r} is no name for a module",
            "Lower-case letters and digits with single underscores between, "
            "2 to 50 characters, no word of Python's own: sale_extra",
        )


def _check(addons: Path, name: str, brought: Collection[str]) -> None:
    require_name(name)
    if name in brought:
        raise UsageError(
            f"Odoo has a module {name!r} of its own",
            f"Choose another name, such as {name}_extra: Odoo loads only one of them.",
        )
    taken = [path for path in [addons / name, *addons.glob(f"*/{name}")] if path.exists()]
    if taken or (addons / name).is_symlink():
        place = (taken or [addons / name])[0].relative_to(addons.parent.parent)
        raise UsageError(f"there is {place} already", "Choose another name, or remove that.")


def _copy(template: Path, target: Path, name: str) -> None:
    """Copy with the template's names replaced, readable for the user of the container."""
    target.mkdir()
    target.chmod(0o755)
    for source in template.iterdir():
        copy = target / source.name.replace(_TEMPLATE, name)
        if source.is_dir():
            if source.name != "__pycache__":
                _copy(source, copy, name)
        else:
            copy.write_text(_renamed(source.read_text(encoding="utf-8"), name), encoding="utf-8")
            copy.chmod(0o644)


def _renamed(text: str, name: str) -> str:
    words = name.split("_")
    names = {
        _TEMPLATE: name,
        "my.module": ".".join(words),
        "MyModule": "".join(word.capitalize() for word in words),
        "My Module": " ".join(word.capitalize() for word in words),
    }
    return re.sub("|".join(map(re.escape, names)), lambda found: names[found[0]], text)
