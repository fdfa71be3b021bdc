"""What `inv status` tells, for people and for machines."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from scripts.backups.freshness import BackupState
from scripts.maintenance import MaintenanceState as MaintenanceState
from scripts.stack import maintenance_window


@dataclass(frozen=True)
class Data:
    """How much there is, in bytes, and how much room beside it."""

    database: int
    files: int
    room: str


@dataclass(frozen=True)
class Report:
    """All that `inv status` tells. None stands for what cannot be known at the moment."""

    runs: str  # running, partly running, stopped, or unknown
    services: Mapping[str, str]
    environment: str
    url: str
    backup: BackupState
    version: str = "of an unknown version"
    odoo: str | None = None
    data: Data | None = None
    certificate_ends: str | None = None  # in production
    certificate_days: int | None = None
    maintenance: MaintenanceState | None = None
    copy: Mapping[str, str] | None = None  # the one that is served: its database and its URL
    unanswered: list[str] = field(default_factory=list)  # checks that take longer
    attention: list[str] = field(default_factory=list)

    @property
    def known(self) -> bool:
        """Whether anything of the platform could be known."""
        return self.runs != "unknown"

    @property
    def json(self) -> dict[str, Any]:
        """For machines."""
        shown = {**vars(self), "maintenance": self.maintenance.json if self.maintenance else None}
        return {
            **shown,
            "data": asdict(self.data) if self.data else None,
            "backup": asdict(self.backup),
        }

    @property
    def rows(self) -> dict[str, str]:
        """The facts by their names, for people."""
        rows = {
            "Platform": f"{self.runs}, {self.environment}{self._down}",
            "URL": self.url,
            "Copy": "{database}, served at {url}".format_map(self.copy) if self.copy else "",
            "Version": f"ipai-platform {self.version}, Odoo {self.odoo or 'not known'}",
            "Data": self._data,
            "Backup": self._backup,
            "Certificate": self._certificate,
            "Maintenance": self._maintenance,
        }
        return {name: text for name, text in rows.items() if text}

    @property
    def lines(self) -> list[str]:
        """For people."""
        lines = [f"{name + ':':<13}{text}" for name, text in self.rows.items()]
        if self.unanswered:
            names = ", ".join(self.unanswered)
            lines += ["", f"Not known yet: {names} (inv health waits for them)"]
        if self.attention:
            return [*lines, "", "Needs attention:", *(f"  {each}" for each in self.attention)]
        return lines if self.unanswered else [*lines, "", "Nothing needs attention"]

    @property
    def _down(self) -> str:
        down = [f"{name} {state}" for name, state in self.services.items() if state != "running"]
        return f" ({', '.join(down)})" if down and self.runs != "stopped" else ""

    @property
    def _data(self) -> str:
        if not self.data:
            return ""
        sizes = f"database {_mb(self.data.database)}, attachments {_mb(self.data.files)}"
        return f"{sizes}; {self.data.room}"

    @property
    def _backup(self) -> str:
        backup = self.backup
        last = f"{backup.last} of {local(backup.made)}" if backup.last else "none was made here"
        if not backup.verified:
            return f"{last}; none was verified"
        which = "it" if backup.verified == backup.last else backup.verified
        return f"{last}; {which} was verified on {local(backup.verified_at)}"

    @property
    def _certificate(self) -> str:
        if self.certificate_ends is None:
            return ""
        return f"{self.certificate_days} days left, until {local(self.certificate_ends)}"

    @property
    def _maintenance(self) -> str:
        window = self.maintenance.window if self.maintenance else None
        return f"on {window.period}" if window else "off"


def _mb(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


def local(moment: str) -> str:
    return maintenance_window.local(datetime.fromisoformat(moment)) if moment else "?"
