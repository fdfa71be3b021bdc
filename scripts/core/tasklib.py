"""The bridge to Invoke: one decorator for every task, one place where errors end."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from invoke.context import Context
from invoke.exceptions import Exit, ParseError
from invoke.parser.argument import Argument
from invoke.parser.parser import ParseMachine
from invoke.tasks import Task, task

from scripts.core.console import Console
from scripts.core.errors import OpsError, UsageError, WarningError
from scripts.core.interruption import TerminatedError

EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


class _Checked(Argument):
    """An argument that refuses what is no number; Invoke's own ends with a traceback then."""

    def set_value(self, value: Any, cast: bool = True) -> None:
        """See Argument.set_value."""
        try:
            super().set_value(value, cast)
        except ValueError:
            raise ParseError(f"--{self.name}: {value!r} is no whole number") from None


class _OptionalPositional(_Checked):
    """A positional argument that may be missing; it is then `otherwise`."""

    def __init__(self, given: Argument) -> None:
        super().__init__(
            names=given.names,
            kind=given.kind,
            help=given.help,
            positional=True,
            attr_name=given.attr_name,
        )
        self.otherwise = given.default


class _Command(Task[Any]):
    """Invoke's task, except that a positional argument with a default is optional."""

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """See Task.get_arguments."""
        return [_ours(argument) for argument in super().get_arguments(ignore_unknown_help)]


def _ours(given: Argument) -> Argument:
    if given.positional and given.default is not None:
        return _OptionalPositional(given)
    if given.kind is not int:
        return given
    return _Checked(
        names=given.names,
        kind=int,
        default=given.default,
        help=given.help,
        positional=given.positional,
        attr_name=given.attr_name,
    )


# Invoke 3.0.3 has no optional positional arguments. ParseMachine.handle gives the
# next word to a positional only as long as its value is None, which a default
# would prevent; complete_context, at the end of a task's words, then fails for
# every positional that still is None. So ours have no default at first and get
# it where the task's words end. Arguments of other classes are not touched.
_complete_context = ParseMachine.complete_context


def _complete_context_with_defaults(machine: ParseMachine) -> None:
    for argument in machine.context.missing_positional_args if machine.context else ():
        if isinstance(argument, _OptionalPositional):
            argument.set_value(argument.otherwise, cast=False)
    _complete_context(machine)


setattr(ParseMachine, "complete_context", _complete_context_with_defaults)  # noqa: B010


def command(
    help: Mapping[str, str] | None = None,
    *,
    name: str | None = None,
    default: bool = False,
    positional: Sequence[str] = (),
) -> Callable[[Callable[..., Any]], Task[Any]]:
    """Make an Invoke task of a function.

    Every flag has to be documented in `help`, to which its default is added.
    Flags without a default are positional and required. Those in `positional`
    may be given without their name too, and be left out: the next word after
    the task is theirs, even if it is the name of another task.
    An OpsError becomes `error:` (or `warning:`) and `hint:` on standard error and its exit code.
    """

    def decorate(body: Callable[..., Any]) -> Task[Any]:
        places = _positionals(body, positional)

        @functools.wraps(body)
        def guarded(c: Context, *args: Any, **kwargs: Any) -> Any:
            try:
                _refuse_swallowed_flags([kwargs[name] for name in places if name in kwargs])
                return body(c, *args, **kwargs)
            except OpsError as error:
                kind = "warning" if isinstance(error, WarningError) else "error"
                Console.standard().error(error.message, error.hint, kind=kind)
                raise Exit(code=error.exit_code) from None
            except TerminatedError:
                Console.standard().error("terminated")
                raise Exit(code=EXIT_TERMINATED) from None
            except KeyboardInterrupt:
                Console.standard().error("interrupted")
                raise Exit(code=EXIT_INTERRUPTED) from None

        documented = _help_with_defaults(body, help or {})
        options = {"name": name, "default": default, "help": documented, "positional": places}
        return cast("Task[Any]", task(guarded, **options, auto_shortflags=False, klass=_Command))

    return decorate


def _positionals(body: Callable[..., Any], optional: Sequence[str]) -> list[str]:
    flags = {flag.name: flag for flag in list(inspect.signature(body).parameters.values())[1:]}
    required = [name for name, flag in flags.items() if flag.default is flag.empty]
    for name in optional:
        if name not in flags or flags[name].default in (None, flags[name].empty):
            raise TypeError(f"{body.__name__}: {name!r} is no flag with a default")
    return [*required, *optional]


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
    # Invoke takes `inv task --help` for a value where a task has a positional
    # argument that was not given yet (pyinvoke/invoke#982).
    for value in values:
        if isinstance(value, str) and value.startswith("-"):
            raise UsageError(
                f"{value!r} is a flag, not a value", "Use `inv --help TASK` to see a task's flags."
            )
