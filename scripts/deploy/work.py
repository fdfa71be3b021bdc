"""A deployment under way: who does it, since when, and what is told and written of its end."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.report import Reporter
from scripts.deploy import hooks, kept, record
from scripts.deploy.record import Deployment, Result, Version
from scripts.stack import lifecycle, release
from scripts.stack.compose import Stack

_KEPT: Final = 3  # versions whose image and code stay


@dataclass(frozen=True)
class Outcome:
    """What a deployment has done."""

    made: Deployment
    url: str

    @property
    def lines(self) -> list[str]:
        """For people."""
        made = self.made
        if made.result is Result.UNCHANGED:
            return ["There is nothing to deploy: what serves is what is here"]
        lines = [f"{made.result.value.capitalize()}: {made.after.name}, in {made.seconds} s"]
        if made.modules:
            lines.append(f"Modules updated: {', '.join(made.modules)}")
        if made.result is Result.DEPLOYED:
            lines.append(f"Back to {made.before.name}: inv deploy.rollback")
        return [*lines, f"Odoo: {self.url}"]


@dataclass
class Work:
    """One deployment."""

    stack: Stack
    reporter: Reporter
    drain: float  # seconds that requests under way have
    touched: bool = False  # containers may have been replaced
    updated: tuple[str, ...] = ()  # modules whose data were updated
    who: str = field(default_factory=record.who)
    began: float = field(default_factory=time.monotonic)
    id: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}")

    def variables(self, before: Version, after: Version, result: str = "") -> dict[str, str]:
        """What hooks are told."""
        return {
            "DEPLOY_ID": self.id,
            "DEPLOY_WHO": self.who,
            "DEPLOY_FROM": before.release,
            "DEPLOY_TO": after.release,
            "DEPLOY_FROM_IMAGE": before.image,
            "DEPLOY_TO_IMAGE": after.image,
            "DEPLOY_RESULT": result,
            "DEPLOY_URL": self.stack.settings.url,
        }

    def served(
        self,
        stack: Stack,
        before: Version,
        after: Version,
        result: Result,
        modules: tuple[str, ...],
    ) -> Outcome:
        """It has succeeded: the line, what is kept, and the hook."""
        made = self._add(before, after, result, modules)
        settings = stack.settings
        release.remember(settings, release.here(settings, stack.runner))
        lifecycle.forget_static_files(stack)
        self.prune(after)
        self._tell(hooks.AFTER, before, after, result)
        return Outcome(made, settings.url)

    def prune(self, serving: Version) -> None:
        """Keep what serves, whatever the list has of it, and the last versions that have served."""
        lasting = [v for d in record.known(self.stack.settings) for v in record.versions(d)]
        kept.drop_others(self.stack, list(dict.fromkeys([serving, *lasting]))[:_KEPT])

    def warn_of_data(self, modules: Sequence[str]) -> None:
        """Say that image and code go back, and the data of `modules` do not."""
        if modules:
            self.reporter.note(
                f"warning: the data of {', '.join(modules)} remain updated;"
                " they go back with: inv module.rollback"
            )

    def unchanged(self, before: Version) -> Outcome:
        """There was nothing to do, and there is nothing to write down."""
        made = Deployment(self.id, self.who, before, before, (), Result.UNCHANGED, "", 0)
        return Outcome(made, self.stack.settings.url)

    def failed(self, before: Version, after: Version, result: Result, reason: str) -> None:
        """It has not: the line, what is kept, and the hook."""
        try:
            self._add(before, after, result, self.updated, reason)
            self.prune(before)
        except OpsError as error:  # a full disk, which may be the cause of it all
            self.reporter.note(f"warning: {error.message}")
        self._tell(hooks.FAILED, before, after, result)

    def _add(
        self,
        before: Version,
        after: Version,
        result: Result,
        modules: tuple[str, ...],
        reason: str = "",
    ) -> Deployment:
        seconds = round(time.monotonic() - self.began)
        made = Deployment(self.id, self.who, before, after, modules, result, reason, seconds)
        record.add(self.stack.settings, made)
        return made

    def _tell(self, hook: str, before: Version, after: Version, result: Result) -> None:
        try:
            hooks.run(self.stack, self.reporter, hook, self.variables(before, after, result.value))
        except OpsError as error:
            self.reporter.note(f"warning: {error.message}")
