"""Settings of continuous archiving."""

from dataclasses import dataclass
from typing import Final

from scripts.core.values import Values

PROFILE: Final = "continuous"  # of the archiver in compose.yaml; in production it has none
_DAYS: Final = (1, 365)
_QUEUE: Final = (1, 1000)
_SWITCH: Final = "(true|false)"


@dataclass(frozen=True)
class ArchiveSettings:
    """Of one installation."""

    wanted: bool  # BACKUP_CONTINUOUS
    days: int  # for which any moment can be restored
    queue: int  # GB of WAL that wait before they are given up

    @classmethod
    def read(cls, values: Values, *, default: bool) -> "ArchiveSettings":
        """Of `.env` and the environment; what is wrong is added to the problems of `values`."""
        given = values.matching(
            "BACKUP_CONTINUOUS", "true" if default else "false", _SWITCH, "true or false"
        )
        values.matching("BACKUP_NETWORK", "backend", "backend|edge", "backend or edge")
        return cls(
            wanted=given == "true",
            days=values.count("BACKUP_DAYS", "14", _DAYS),
            queue=values.count("BACKUP_QUEUE", "8", _QUEUE),
        )
