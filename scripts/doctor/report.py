"""All that `inv doctor` shows."""

from collections.abc import Callable
from dataclasses import dataclass

from scripts.core import sizes
from scripts.core.settings import sources
from scripts.core.table import Table
from scripts.doctor import engine_rows, host_rows, project_rows, recommend, rows
from scripts.doctor.recommend import Recommendation
from scripts.doctor.rows import Row
from scripts.stack.compose import Stack


@dataclass(frozen=True)
class Report:
    """What was found; without an engine there is no machine to recommend sizes for."""

    checks: list[Row]
    cpus: int  # of the engine; 0 where none answers
    memory: int  # bytes
    sizes: list[Recommendation]

    @property
    def failed(self) -> bool:
        """Whether something has to be corrected."""
        return rows.bad(self.checks)

    def lines(self, paint: Callable[[str, str], str]) -> list[str]:
        """For people."""
        return [*rows.lines(self.checks, paint), *self._sizes(), *rows.summary(self.checks, paint)]

    def _sizes(self) -> list[str]:
        if not self.sizes:
            return ["--- Sizes ---", "Without an engine its CPUs and memory are not known"]
        machine = f"{self.cpus} CPUs and {self.memory / sizes.GIB:.1f} GiB"
        title = f"--- Sizes in production, for {machine} ---"
        cells = [
            [s.variable, s.recommended, s.present, s.source, "differs" if s.differs else ""]
            for s in self.sizes
        ]
        shown = Table(["variable", "recommended", "present", "from", ""], cells).lines
        if any(size.differs for size in self.sizes):
            shown.append("To write what differs into .env: inv doctor --fix")
        return [title, *shown]


def look(stack: Stack) -> Report:
    """Look at everything; changes nothing, and needs neither the internet nor an engine."""
    seen = engine_rows.look(stack.runner)
    asked = [
        *engine_rows.questions(stack.runner, seen),
        *host_rows.questions(stack, seen),
        *project_rows.questions(stack, seen),
    ]
    order = list(dict.fromkeys(question.group for question in asked))
    found = sorted(rows.answer(asked), key=lambda row: order.index(row.group))
    if seen.engine is None:
        return Report(found, 0, 0, [])
    cpus, memory = seen.engine.cpus, seen.engine.memory
    settings = stack.settings
    present = sizes.present(settings.root, sources(settings.root), settings.replicas)
    table = recommend.table(present, cpus, memory, settings.replicas)
    return Report(found, cpus, memory, table)
