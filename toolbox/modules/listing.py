"""Everything about every module, for `inv module.list` and `module.info`."""

from dataclasses import asdict
from typing import Any

from toolbox.modules import addons, checksums, installed

_DETAILS = ("path", "title", "installable", "depends", "python", "programs")


def listed(database: str) -> dict[str, Any]:
    """Everything about every module, for `inv module.list` and `module.info`."""
    installed.refuse_no_odoo(database)
    entries, disk = installed.in_database(database), addons.on_disk()
    now, known = checksums.look(database, installed.installed(entries))
    differing = set(checksums.changed(entries, known, now))
    rows = []
    for name in sorted({*entries, *disk}):
        addon, entry = disk.get(name), entries.get(name, installed.Entry("uninstalled", ""))
        if not addon and entry.state in ("uninstalled", "uninstallable"):
            continue  # Odoo remembers every module it has ever seen
        rows.append({
            "name": name, "state": entry.state, "installed": entry.version,
            "on_disk": addon.version if addon else "", "changed": name in differing,
            "missing": addon is None, "source": addon.source if addon else "",
            **({k: v for k, v in asdict(addon).items() if k in _DETAILS} if addon else {}),
        })  # fmt: skip
    return {"database": database, "modules": rows}
