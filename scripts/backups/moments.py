"""Moments of the past, as people write them."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from scripts.core.errors import UsageError
from toolbox.contract.archive import TIME, TRANSACTION

_UNITS: Final = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}
_AGO: Final = re.compile(r"(?P<minus>-)?(?P<count>\d{1,6}) ?(?P<unit>s|min|h|d)(?P<ago> ago)?")
_CLOCK: Final = r"(?P<clock>\d{1,2}:\d{2}(:\d{2})?)"
_DAY: Final = re.compile(rf"(?:(?P<day>today|yesterday)\s+)?{_CLOCK}")
_TIME: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?( ?(Z|[+-]\d{2}:?\d{2}))?", re.ASCII
)
_XID: Final = re.compile(r"(?P<before>before\s+)?xid\s+(?P<number>\d{1,20})")
_FIRST_XID: Final = 3  # FirstNormalTransactionId
_END_XID: Final = 1 << 64
_HINT: Final = (
    'For example: --at "2026-11-26 14:32", --at "yesterday 17:00", --at -15min,'
    ' --at "before xid 4711". Times are those of this machine, unless they end in Z or +01:00.'
)


@dataclass(frozen=True)
class Moment:
    """A moment of the databases."""

    text: str  # a time (ISO 8601, UTC), or the number of a transaction
    kind: str = TIME
    exclusive: bool = False  # before that transaction
    time: datetime | None = None  # in the zone that it was told in

    @property
    def shown(self) -> str:
        """For people."""
        if self.time:
            return f"{self.time:%Y-%m-%d %H:%M:%S %Z}".strip()
        return f"{'before ' if self.exclusive else ''}transaction {self.text}"

    @property
    def options(self) -> list[str]:
        """For the program that restores it."""
        exclusive = ["--exclusive"] if self.exclusive else []
        return [f"--at={self.text}", f"--kind={self.kind}", *exclusive]


def parse(text: str, now: datetime | None = None) -> Moment:
    """The moment that `text` names; raises UsageError for none, or one that is still to come."""
    now = now or datetime.now().astimezone()
    words = " ".join(text.split())
    if found := _XID.fullmatch(words):
        if not _FIRST_XID <= int(found["number"]) < _END_XID:
            raise UsageError(f"{text!r} is no moment: no transaction has that number", _HINT)
        return Moment(found["number"], TRANSACTION, exclusive=bool(found["before"]))
    try:
        told = _time(words, now)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text!r} is no moment", _HINT) from error
    if told > now:
        raise UsageError(f"{told:%Y-%m-%d %H:%M:%S %Z} is still to come", _HINT)
    return Moment(told.astimezone(UTC).isoformat(), time=told)


def _time(words: str, now: datetime) -> datetime:
    if words == "now":
        return now
    if (found := _AGO.fullmatch(words)) and bool(found["minus"]) != bool(found["ago"]):
        return now - timedelta(**{_UNITS[found["unit"]]: int(found["count"])})
    if found := _DAY.fullmatch(words):
        day = now.date() - timedelta(days=found["day"] == "yesterday")
        clock = found["clock"].zfill(len("17:00:00") if found["clock"].count(":") > 1 else 5)
        return _aware(datetime.fromisoformat(f"{day} {clock}"))
    if not _TIME.fullmatch(words):
        raise ValueError(words)
    return _aware(datetime.fromisoformat(words))


def _aware(told: datetime) -> datetime:
    """With the zone of this machine where it has none."""
    return told if told.tzinfo else told.astimezone()
