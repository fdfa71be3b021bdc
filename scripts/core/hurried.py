"""A runner for those who would rather know nothing than wait."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Unpack

from scripts.core.completed import Completed
from scripts.core.interactive import InteractiveProcess
from scripts.core.process import Runner, RunOptions


@dataclass(frozen=True)
class HurriedRunner:
    """`runner`, which kills every program that it runs to its end after `seconds`."""

    runner: Runner
    seconds: float

    @property
    def dry(self) -> bool:
        """See Runner.dry."""
        return self.runner.dry

    def run(self, argv: Sequence[str], **options: Unpack[RunOptions]) -> Completed:
        """See Runner.run."""
        options["timeout"] = min(options.get("timeout") or self.seconds, self.seconds)
        return self.runner.run(argv, **options)

    def interact(
        self, argv: Sequence[str], on_stderr: Callable[[str], None] = lambda _: None
    ) -> AbstractContextManager[InteractiveProcess]:
        """See Runner.interact."""
        return self.runner.interact(argv, on_stderr)

    def replace_process(self, argv: Sequence[str]) -> NoReturn:
        """See Runner.replace_process."""
        self.runner.replace_process(argv)

    def detach(self, argv: Sequence[str], log: Path) -> int:
        """See Runner.detach."""
        return self.runner.detach(argv, log)
