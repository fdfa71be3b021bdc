"""This folder: mounted files, settings, secrets, ports, images, and whose platform it is."""

import stat
from pathlib import Path
from typing import Final

from scripts import credentials, startup
from scripts.core import configuration, env_file
from scripts.core.checks import Check, Finding
from scripts.doctor.engine_rows import NO_ENGINE, Seen
from scripts.doctor.rows import Question, failed, ok, warning
from scripts.stack import identity, images, preflight
from scripts.stack.compose import Stack
from scripts.stack.engine import Engine
from scripts.stack.image_names import effective

_FILES: Final = "Files"
_SETTINGS: Final = "Settings"
_PLATFORM: Final = "Platform"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_NO_ENGINE_BY_FACTS: Final = Engine("", "", 0, 0, Path("/nonexistent"))
_MOUNTED: Final = ("nginx", "odoo", "postgres", "redis", "secrets", "toolbox")
_IMAGES: Final = ("POSTGRES_IMAGE", "REDIS_IMAGE", "NGINX_IMAGE", "ODOO_BASE_IMAGE", "ODOO_IMAGE")


def questions(stack: Stack, seen: Seen) -> list[Question]:
    """Those about the project and what it wants of the host."""
    settings = stack.settings
    services = stack.services() if seen.engine else []
    checks = preflight.checks(stack, seen.engine or _NO_ENGINE_BY_FACTS, services)
    known = [check for check in checks if seen.engine or check.name != "Memory"]
    return [
        *(_of(check) for check in known if check.name in ("Memory", "Disk")),
        *(_of(check) for check in known if check.name.startswith("Port ")),
        *(_of(check) for check in known if check.name in ("Files", "Enterprise")),
        Question(_FILES, "Mounted folders", lambda: _mounted(settings.root)),
        Question(_SETTINGS, ".env", lambda: _env(stack)),
        Question(_SETTINGS, "Secrets", lambda: _secrets(settings.secrets_folder)),
        *(
            Question(_SETTINGS, check.name, check.probe)
            for check in startup.preflight(settings)
            if check.name != "Secrets"
        ),
        Question(_PLATFORM, "Project name", lambda: _owner(stack, seen), NO_ENGINE),
        Question(_PLATFORM, "Images", lambda: _images(stack, seen), NO_ENGINE),
    ]


def _of(check: Check) -> Question:
    group = _FILES if check.name in ("Files", "Enterprise") else "Host"
    return Question("Ports" if check.name.startswith("Port ") else group, check.name, check.probe)


def _mounted(root: Path) -> Finding:
    """Compose would make a folder that is missing, as root's, and start with it."""
    missing = [name for name in _MOUNTED if name != "secrets" and not (root / name).is_dir()]
    if missing:
        return failed(f"missing: {', '.join(missing)}", "git checkout -- " + " ".join(missing))
    owners = {(root / name).stat().st_uid for name in _MOUNTED if (root / name).is_dir()}
    if len(owners) > 1:
        hint = f'sudo chown -R "$USER" {" ".join(n for n in _MOUNTED if (root / n).is_dir())}'
        return warning("the folders belong to different users", hint)
    return ok()


def _env(stack: Stack) -> Finding:
    report = configuration.examine(stack.settings.root, prod=stack.settings.tls)
    if report.errors:
        return failed(
            "; ".join(report.errors), "See docs/configuration.md; then: inv config --check"
        )
    exposed = env_file.warning(stack.settings.env_file).removeprefix("warning: ")
    said = [*report.warnings, *([exposed] if exposed else [])]
    return warning("; ".join(said), "inv config --check") if said else ok()


def _secrets(folder: Path) -> Finding:
    """Present, accepted, and their owner's only; before the first start there are none."""
    if not folder.is_dir():
        return ok("none yet; `inv up` makes them")
    found = credentials.preflight(folder).probe()
    if found.status.value != "ok":
        return found
    files = [folder, *(path for path in folder.rglob("*") if path.is_file())]
    names = [p.relative_to(folder.parent).as_posix() for p in files if p.stat().st_mode & _OTHERS]
    if names:
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        return warning(f"other users can read {shown}", "chmod -R go= secrets")
    return ok()


def _owner(stack: Stack, seen: Seen) -> Finding | None:
    if not seen.engine:
        return None
    if problem := identity.problem(stack):
        return failed(problem.message, problem.hint)
    return ok(stack.settings.project)


def _images(stack: Stack, seen: Seen) -> Finding | None:
    if not seen.engine:
        return None
    unpinned = [
        f"{name}={image}"
        for name, image in effective(stack.settings).items()
        if "@" not in image and image.rpartition(":")[2] in ("latest", image)
    ]
    if unpinned:
        return warning(f"without a version: {', '.join(unpinned)}", "Name a tag in .env.")
    rows = [row for row in images.in_use(stack) if row[0] in _IMAGES]
    missing = [name for name, _, identity_ in rows if not identity_]
    built = [name for name, image, _ in rows if image.startswith("localhost/")]
    said = f"{len(rows) - len(missing)} of {len(rows)} are here, {len(built)} of them built here"
    if missing:
        return ok(f"{said}; `inv up` brings {', '.join(missing)}")
    return ok(said)
