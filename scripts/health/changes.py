"""Which changes of a health report are worth a message, and which were told before."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from scripts.core.checks import Result, Status

_DAY: Final = 86_400.0
# A check that comes and goes: from its second alarm within a day on, its end is told only after
# it has been well for so long, twice as long each time. Meanwhile it stays the same alarm.
_CALM: Final = 1800.0
_CALM_AT_MOST: Final = 6 * 3600.0
_SEVERITY: Final = (Status.OK, Status.WARNING, Status.UNKNOWN, Status.FAILED)


@dataclass(frozen=True)
class Told:
    """What one address knows. Moments are in seconds since 1970."""

    bad: Mapping[str, str] = field(default_factory=dict)  # checks and the worst that was told
    well: Mapping[str, float] = field(default_factory=dict)  # of those, since when they are well
    alarms: Mapping[str, Sequence[float]] = field(default_factory=dict)  # of a day, by check
    at: float = 0.0  # of the last message
    failing: float = 0.0  # since when messages do not arrive; 0 if they do
    reason: str = ""  # why

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> "Told":
        """Of what was stored; raises ValueError or TypeError where it is something else."""
        told = cls(**{name: said[name] for name in cls.__dataclass_fields__ if name in said})
        for status in told.bad.values():
            Status(status)
        return told

    def unreached(self, reason: str, now: float) -> "Told":
        """The same after a message that did not arrive."""
        return replace(self, failing=self.failing or now, reason=reason)


@dataclass(frozen=True)
class Changes:
    """What to tell: names of checks."""

    new: Sequence[str]
    recovered: Sequence[str]
    lasting: Sequence[str]  # told before, and still bad
    reminder: bool  # there is nothing new, but it is time to say it again

    @property
    def worth_telling(self) -> bool:
        """Whether anybody has to hear of it."""
        return bool(self.new or self.recovered or self.reminder)


def between(
    told: Told, rows: Sequence[Result], asked: Collection[str], now: float, repeat: float
) -> tuple[Told, Changes]:
    """What is to be told of `rows`, and what is known once it was.

    `asked`: the names of all checks that were asked; of the others nothing is said. `repeat`:
    seconds after which what is still bad is told again.
    """
    found = {row.name: row.status for row in rows}
    failed = Status.FAILED in found.values()
    # Beside a failure, what cannot be told is most often a consequence: neither bad nor well.
    unclear = {n for n, s in found.items() if failed and s is Status.UNKNOWN}
    bad = {n: s for n, s in found.items() if s is not Status.OK and n not in unclear}
    new = [n for n, s in bad.items() if _severity(s) > _severity(told.bad.get(n, Status.OK))]
    alarms = {n: kept for n, times in told.alarms.items() if (kept := _of_a_day(times, now))}
    for name in new:
        if name not in told.bad:
            alarms[name] = [*alarms.get(name, []), now]
    well = {
        name: told.well.get(name, now)
        for name in told.bad
        if name in asked and name not in bad and name not in unclear
    }
    # What was not asked, or cannot be told now, stays as it was.
    well |= {n: t for n, t in told.well.items() if n not in asked or n in unclear}
    calm = {n for n, since in well.items() if now - since >= _calm(alarms.get(n, []))}
    recovered = [n for n in well if n in calm and n in asked and n not in unclear]
    known = {**told.bad, **{n: bad[n].value for n in new}}
    known = {n: s for n, s in known.items() if n not in recovered}
    lasting = [n for n in known if n in asked and n not in new and n not in well]
    due = bool(lasting) and now - told.at >= repeat
    changes = Changes(new, recovered, lasting, due and not (new or recovered))
    at = now if changes.worth_telling else told.at
    well = {n: since for n, since in well.items() if n not in recovered}
    return Told(known, well, alarms, at), changes


def _severity(status: str) -> int:
    return _SEVERITY.index(Status(status))


def _of_a_day(times: Sequence[float], now: float) -> list[float]:
    return [moment for moment in times if now - moment < _DAY]


def _calm(alarms: Sequence[float]) -> float:
    """For how many seconds a check has to be well before that is told."""
    return min(_CALM_AT_MOST, _CALM * 2.0 ** (len(alarms) - 2)) if len(alarms) > 1 else 0.0
