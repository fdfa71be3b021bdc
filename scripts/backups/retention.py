"""Which backups to keep: the last one of each of so many days, weeks, months and years."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from toolbox.contract.backups import StoredBackup

_PERIODS: Final[Mapping[str, Callable[[datetime], str]]] = {
    "d": lambda time: f"{time:%Y-%m-%d}",
    "w": lambda time: f"{time:%G-%V}",
    "m": lambda time: f"{time:%Y-%m}",
    "y": lambda time: f"{time:%Y}",
}


@dataclass(frozen=True)
class Backup:
    """One complete set, as the repository lists it."""

    id: str
    time: datetime
    database: str
    odoo: str
    bytes: int
    added: int
    files: int
    installation: str = ""
    restorable: bool = True  # False: its schema could not be restored
    lost: int = 0  # attachments whose file it does not have whole


def backup(stored: StoredBackup) -> Backup:
    """What retention wants to know of one in the repository."""
    return Backup(
        stored.id,
        datetime.fromisoformat(stored.time.replace("Z", "+00:00")),
        stored.database,
        stored.odoo,
        stored.bytes,
        stored.added,
        stored.files,
        stored.installation,
        stored.restorable,
        stored.lost,
    )


def expired(backups: Sequence[Backup], rule: str) -> list[Backup]:
    """Those that `rule` (such as 7d,5w,12m) does not keep, of each database by itself.

    Databases of the same name on two installations are two. The newest of a database is
    always kept, whatever the rule says. Those that cannot be restored push none out that can, and
    those without all attachments none that has them.
    """
    kept: set[str] = set()
    for origin in {_origin(backup) for backup in backups}:
        own = sorted((b for b in backups if _origin(b) == origin), key=lambda b: b.time)
        kept.add(own[-1].id)
        for count, unit in re.findall(r"(\d+)([dwmy])", rule):
            last_of = {_PERIODS[unit](backup.time): backup.id for backup in own}
            newest = sorted(last_of, reverse=True)[: int(count)]
            kept |= {last_of[period] for period in newest}
    return [backup for backup in backups if backup.id not in kept]


def _origin(backup: Backup) -> tuple[str, str, bool, bool]:
    # By plain `docker compose run` every container has a name of its own, by Docker.
    by_hand = re.fullmatch(r"[0-9a-f]{12}", backup.installation)
    where = "" if by_hand else backup.installation
    return where, backup.database, backup.restorable, backup.lost > 0
