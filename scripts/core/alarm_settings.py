"""Settings of notifications: who hears of what, and how often."""

from dataclasses import dataclass
from typing import Final

from scripts.core.values import Values

_DAY: Final = 86_400.0
_REPEAT: Final = (60.0, 7 * _DAY)


@dataclass(frozen=True)
class AlarmSettings:
    """Of one installation. Addresses may hold tokens: only core/addresses.py shows them."""

    backup: tuple[str, ...] = ()  # who hears how a backup ended
    health: tuple[str, ...] = ()  # who hears of changes in `inv health`
    repeat: float = _DAY  # seconds after which it is said again that something is not well
    ping: str = ""  # asked after each look; silence alarms there

    @classmethod
    def read(cls, values: Values) -> "AlarmSettings":
        """Of `.env` and the environment; what is wrong is added to the problems of `values`."""
        return cls(
            backup=values.addresses("BACKUP_NOTIFY"),
            health=values.addresses("HEALTH_NOTIFY"),
            repeat=values.duration("HEALTH_NOTIFY_REPEAT", "24h", _REPEAT),
            ping=values.web_address("HEALTH_PING"),
        )
