"""What a database and the disk have of modules, read once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from toolbox.modules import addons, checksums, installed
from toolbox.modules.addons import Addon
from toolbox.modules.checksums import Checksum
from toolbox.modules.installed import Entry


@dataclass(frozen=True)
class InstalledState:
    """Everything that a plan is made of."""

    entries: Mapping[str, Entry]  # every module that the database knows
    depends: Mapping[str, Collection[str]]  # of each installed one, as the database has it
    disk: Mapping[str, Addon]  # every module of the addons path
    recorded: Mapping[str, Checksum]  # what modules were when they were updated last
    current: Mapping[str, Checksum]  # what those, and the installed ones, are on disk now

    @property
    def installed(self) -> list[str]:
        """The installed modules, by name."""
        return installed.names(self.entries)

    @property
    def changed(self) -> list[str]:
        """The installed modules that differ on disk from what they were at their last update.

        Where nothing is recorded of a module its version decides: what is on disk is assumed
        to be what was installed.
        """
        return [name for name in self.installed if name in self.current and self._differs(name)]

    def _differs(self, name: str) -> bool:
        if name in self.recorded:
            return self.recorded[name].content != self.current[name].content
        return self.entries[name].version != self.disk[name].version

    def dependants(self, names: Collection[str]) -> list[str]:
        """The installed modules that build on `names`, directly or not."""
        found, queue = set(names), list(names)
        while queue:
            below = queue.pop()
            above = {name for name, needs in self.depends.items() if below in needs} - found
            found |= above
            queue += above
        return sorted(found - set(names))


def read(database: str) -> InstalledState:
    """The state of `database` and of the addons path."""
    entries, recorded = installed.entries(database), checksums.recorded(database)
    names = {*installed.names(entries), *recorded}
    return InstalledState(
        entries,
        installed.dependencies(database),
        addons.on_disk(),
        recorded,
        checksums.current(database, names),
    )
