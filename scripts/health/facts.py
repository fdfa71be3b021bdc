"""What PostgreSQL tells of itself and of Odoo's tables: the lines of postgres/health.sql."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from scripts.core.checks import CannotTellError, InapplicableError, once
from scripts.health.answers import Answers

_LINE: Final = re.compile(r"([a-z]+) ([\[{].*)")


@dataclass(frozen=True)
class Facts:
    """The answers by name. PostgreSQL is asked when the first wants to know."""

    answers: Answers
    told: Callable[[], dict[str, Any]]

    @classmethod
    def of(cls, answers: Answers) -> "Facts":
        """Those of the platform that `answers` are of; nothing is asked yet."""
        return cls(answers, once(lambda: _told(answers)))

    def about(self, name: str) -> Any:
        """The answer `name`; raises CannotTellError where there is none."""
        found = self.told()
        if name not in found:
            raise CannotTellError("PostgreSQL cannot be asked about it")
        return found[name]

    def optional(self, name: str) -> Any:
        """The same of what not every database has; raises InapplicableError where it has not."""
        self.about("tables")  # came after Odoo's role had logged in
        if name not in self.told():
            raise InapplicableError
        return self.about(name)

    def odoo_runs(self) -> float:
        """For how many seconds Odoo has been running; raises CannotTellError if it is not."""
        return seconds_since(self.answers.need("odoo").started)


def _told(answers: Answers) -> dict[str, Any]:
    lines = answers.told("odoo_db", answers.odoo_db).stdout.splitlines()
    found = (match for line in lines if (match := _LINE.fullmatch(line)))
    return {match[1]: json.loads(match[2]) for match in found}


def seconds_since(moment: str) -> float:
    """Since when the engine says that something was; 0 where it does not say."""
    try:  # it has nanoseconds, which Python does not read
        then = datetime.fromisoformat(re.sub(r"\.\d+", "", moment))
    except ValueError:
        return 0.0
    return max(0.0, (datetime.now(UTC) - then).total_seconds())


def duration(seconds: float) -> str:
    """For people: `3 h`."""
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"
