"""The bridge to Invoke: one decorator for every task, one place where errors end."""

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import Task, task

from scripts.core.console import Console
from scripts.core.errors import OpsError, UsageError
from scripts.core.process import SystemRunner
from scripts.core.redact import redactor
from scripts.core.settings import Settings

EXIT_INTERRUPTED = 130


@dataclass(frozen=True)
class Session:
    """What every task works with."""

    settings: Settings
    runner: SystemRunner
    console: Console


def open_session(c: Context, *, prod: bool = False, yes: bool = False) -> Session:
    """Settings, runner and console of this call; Invoke's --dry and --echo are honoured."""
    settings = Settings.load(prod=prod)
    os.chdir(settings.root)  # `inv` works from any folder, and its tools look around themselves
    run = c.config.run
    runner = SystemRunner(dry=run.dry, echo=run.echo, redact=redactor(settings.secrets_folder))
    return Session(settings, runner, Console.standard(assume_yes=yes))


def command(
    help: Mapping[str, str] | None = None, *, name: str | None = None, default: bool = False
) -> Callable[[Callable[..., Any]], Task[Any]]:
    """Make an Invoke task of a function.

    Every flag has to be documented in `help`, to which its default is added.
    An OpsError becomes `error:`/`hint:` on standard error and its exit code.
    """

    def decorate(body: Callable[..., Any]) -> Task[Any]:
        flags = list(inspect.signature(body).parameters.values())[1:]
        required = [flag.name for flag in flags if flag.default is flag.empty]

        @functools.wraps(body)
        def guarded(c: Context, *args: Any, **kwargs: Any) -> Any:
            try:
                _refuse_swallowed_flags([kwargs[name] for name in required if name in kwargs])
                return body(c, *args, **kwargs)
            except OpsError as error:
                Console.standard().error(error.message, error.hint)
                raise Exit(code=error.exit_code) from None
            except KeyboardInterrupt:
                Console.standard().error("interrupted")
                raise Exit(code=EXIT_INTERRUPTED) from None

        documented = _help_with_defaults(body, help or {})
        options = {"name": name, "default": default, "help": documented}
        return cast("Task[Any]", task(guarded, **options, auto_shortflags=False))

    return decorate


def _help_with_defaults(body: Callable[..., Any], help: Mapping[str, str]) -> dict[str, str]:
    flags = list(inspect.signature(body).parameters.values())[1:]
    if {flag.name for flag in flags} != set(help):
        raise TypeError(f"{body.__name__}: `help` must document exactly its flags")
    texts = {}
    for flag in flags:
        shown = flag.default not in (flag.empty, False, "", None)
        texts[flag.name] = help[flag.name] + (f" (default: {flag.default})" if shown else "")
    return texts


def _refuse_swallowed_flags(values: list[Any]) -> None:
    # Invoke takes `inv task --help` for a value where a task has a required
    # positional argument (pyinvoke/invoke#982).
    for value in values:
        if isinstance(value, str) and value.startswith("--"):
            raise UsageError(
                f"{value!r} is a flag, not a value", "Use `inv --help TASK` to see a task's flags."
            )
