"""The bridge to Invoke: one decorator for every task, one place where errors end."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, cast

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import Task, task

from scripts.core.console import Console
from scripts.core.errors import OpsError, UsageError, WarningError
from scripts.core.interruption import TerminatedError

EXIT_INTERRUPTED: Final = 130
EXIT_TERMINATED: Final = 143
# The same letter everywhere, whichever command has the option.
SHORT_NAMES: Final = {"follow": "f", "tail": "n", "service": "s", "yes": "y", "database": "d"}


@dataclass(frozen=True)
class Option:
    """An option of a command, as its function declares it."""

    attribute: str  # the parameter of the function
    kind: type  # bool, int or str
    default: Any  # None where it has to be given
    help: str
    positional: bool  # may be given without its name
    bare: Any = None  # its value where it is given without one; None where it needs one

    @property
    def name(self) -> str:
        """As one types it, without the dashes."""
        return self.attribute.strip("_").replace("_", "-")

    @property
    def short(self) -> str:
        """One letter, or '' where it has none."""
        return SHORT_NAMES.get(self.attribute, "")

    @property
    def required(self) -> bool:
        """Whether the command cannot do without it."""
        return self.default is None

    def convert(self, text: str, hint: str = "") -> Any:
        """`text` as a value; raises UsageError with `hint` where it is none of this kind."""
        if self.kind is not int:
            return text
        try:
            return int(text)
        except ValueError:
            raise UsageError(f"--{self.name}: {text!r} is not a whole number", hint) from None


class Command(Task[Any]):
    """Invoke's task, with what our command line knows of its options."""

    options: tuple[Option, ...] = ()
    aliases_of_options: Mapping[str, str] = MappingProxyType({})  # older names, without dashes
    shown: str = ""  # its name on the command line, once there is one
    takes_over: bool = False  # another program takes the place of this process


def command(
    help: Mapping[str, str] | None = None,
    *,
    name: str | None = None,
    default: bool = False,
    positional: Sequence[str] = (),
    aliases: Mapping[str, str] = MappingProxyType({}),
    bare: Mapping[str, Any] = MappingProxyType({}),
    takes_over: bool = False,
) -> Callable[[Callable[..., Any]], Command]:
    """Make an Invoke task of a function.

    Every option has to be documented in `help`. Those without a default are positional and
    required; those in `positional` may be given without their name too, and be left out.
    `aliases` are other names of options. Those in `bare` have that value where they are given
    without one. `takes_over`: it ends by another program in its place, so that no command follows.
    An OpsError becomes `error:` (or `warning:`) and `hint:` on standard error and its exit code,
    and with `--json` an object on standard output as well. Exit code 0 is no end of the process:
    the next command of the line follows.
    """

    def decorate(body: Callable[..., Any]) -> Command:
        options = _options(body, help or {}, positional, bare)

        @functools.wraps(body)
        def guarded(c: Context, *args: Any, **kwargs: Any) -> Any:
            try:
                return body(c, *args, **kwargs)
            except SystemExit as end:
                if end.code:
                    raise
            except OpsError as error:
                if isinstance(error, UsageError) and found.shown:
                    error.hint = error.hint or f"inv help {found.shown}"
                show_error(error, as_json=bool(kwargs.get("json")))
                raise Exit(code=error.exit_code) from None
            except TerminatedError:
                Console.standard().error("terminated")
                raise Exit(code=EXIT_TERMINATED) from None
            except KeyboardInterrupt:
                Console.standard().error("interrupted")
                raise Exit(code=EXIT_INTERRUPTED) from None

        shown = {option.attribute: option.help for option in options}
        made = task(
            guarded,
            name=name,
            default=default,
            help=shown,
            positional=[],
            auto_shortflags=False,
            klass=Command,
        )
        found = cast("Command", made)
        found.options = options
        found.aliases_of_options = dict(aliases)
        found.takes_over = takes_over
        return found

    return decorate


def show_error(error: OpsError, *, as_json: bool) -> None:
    """Print `error` for people and, with `as_json`, for machines as well."""
    console = Console.standard()
    kind = "warning" if isinstance(error, WarningError) else "error"
    console.error(error.message, error.hint, kind=kind)
    if as_json and error.message and not (error.reported or isinstance(error, WarningError)):
        console.json({"error": error.message, "hint": error.hint})


def _options(
    body: Callable[..., Any],
    help: Mapping[str, str],
    positional: Sequence[str],
    bare: Mapping[str, Any],
) -> tuple[Option, ...]:
    parameters = list(inspect.signature(body).parameters.values())[1:]
    if {parameter.name for parameter in parameters} != set(help):
        raise TypeError(f"{body.__name__}: `help` must document exactly its options")
    found = {}
    for given in parameters:
        required = given.default is given.empty
        if given.default is None or (given.name in positional and required):
            raise TypeError(f"{body.__name__}: {given.name!r} has no default")
        found[given.name] = Option(
            attribute=given.name,
            kind=str if required else type(given.default),
            default=None if required else given.default,
            help=help[given.name],
            positional=required or given.name in positional,
            bare=bare.get(given.name),
        )
    if not set(positional) <= set(found):
        raise TypeError(f"{body.__name__}: {sorted(set(positional) - set(found))} are no options")
    return tuple(found.values())
