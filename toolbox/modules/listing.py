"""Everything about every module, for `inv module.list` and `module.info`."""

from toolbox.contract.changes import Module, ModuleList
from toolbox.modules import installed, state
from toolbox.modules.addons import Addon
from toolbox.modules.installed import Entry

_UNKNOWN = Entry("uninstalled", "")
_ABSENT = ("uninstalled", "uninstallable")


def listed(database: str) -> ModuleList:
    """The modules of `database` and of the addons path."""
    installed.require_odoo_database(database)
    found = state.read(database)
    changed, rows = set(found.changed), []
    for name in sorted({*found.entries, *found.disk}):
        addon, entry = found.disk.get(name), found.entries.get(name, _UNKNOWN)
        if addon:
            rows.append(_on_disk(addon, entry, changed=name in changed))
        elif entry.state not in _ABSENT:  # Odoo remembers every module it has ever seen
            rows.append(_missing(name, entry))
    return ModuleList(database=database, modules=tuple(rows))


def _on_disk(addon: Addon, entry: Entry, *, changed: bool) -> Module:
    return Module(
        name=addon.name,
        state=entry.state,
        installed=entry.version,
        on_disk=addon.version,
        changed=changed,
        missing=False,
        source=addon.source,
        path=str(addon.path),
        title=addon.title,
        installable=addon.installable,
        depends=addon.depends,
        python=addon.python,
        programs=addon.programs,
    )


def _missing(name: str, entry: Entry) -> Module:
    return Module(
        name=name,
        state=entry.state,
        installed=entry.version,
        on_disk="",
        changed=False,
        missing=True,
        source="",
    )
