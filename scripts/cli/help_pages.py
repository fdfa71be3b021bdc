"""What `inv help` prints: an overview of all commands, and a page for each."""

import shutil
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from scripts.cli.examples import EXAMPLES, EXIT_CODES
from scripts.cli.words import GENERAL
from scripts.core.tasklib import Command, Option

_INDENT: Final = "  "
_COLUMN: Final = 24  # where descriptions begin
_WIDEST: Final = 100  # longer lines are hard to read
_CODES: Final = {0: "done", 1: "failed", 2: "wrong command line or settings"}

Groups = Mapping[str, Sequence[Command]]


def _width() -> int:
    return max(40, min(_WIDEST, shutil.get_terminal_size((80, 24)).columns))


def overview(groups: Groups, names: Mapping[Command, str]) -> list[str]:
    """All commands by group, a line each."""
    lines = ["Usage: inv COMMAND [VALUE] [--option]", ""]
    for title, commands in groups.items():
        lines += [title, *_rows((names[c], summary(c)) for c in commands), ""]
    general = [(f"-{g.short}, --{g.name}", g.help) for g in GENERAL]
    lines += ["Options of every command", *_rows(general), ""]
    return [*lines, *_wrapped("inv help COMMAND, or inv COMMAND --help, shows one of them.")]


def group(title: str, commands: Sequence[Command], names: Mapping[Command, str]) -> list[str]:
    """The commands of one group."""
    rows = _rows((names[c], summary(c)) for c in commands)
    return [title, *rows, "", *_wrapped("inv help COMMAND shows one of them.")]


def page(name: str, command: Command) -> list[str]:
    """How `command` is called, what it does, its options, examples and exit codes."""
    positionals = [o for o in command.options if o.positional]
    words = [f"{o.name.upper()}" if o.required else f"[{o.name.upper()}]" for o in positionals]
    options = ["[options]"] if len(positionals) < len(command.options) else []
    lines = [" ".join(["Usage: inv", name, *words, *options]), ""]
    lines += [line for text in _paragraphs(command) for line in [*_wrapped(text), ""]]
    if command.options:
        lines += ["Options", *_rows((_spelled(o), _explained(o)) for o in command.options), ""]
    lines += ["Examples", *(f"{_INDENT}{example}" for example in EXAMPLES[name]), ""]
    codes = {**_CODES, **EXIT_CODES.get(name, {})}
    told = ", ".join(f"{code} {meaning}" for code, meaning in sorted(codes.items()))
    return [*lines, *_wrapped(f"Exit codes: {told}")]


def summary(command: Command) -> str:
    """The first line of its help."""
    return next(iter(_paragraphs(command)), "")


def _paragraphs(command: Command) -> list[str]:
    parts = (command.__doc__ or "").strip().split("\n\n")
    return [" ".join(part.split()) for part in parts]


def _spelled(option: Option) -> str:
    short = f"-{option.short}, " if option.short else ""
    value = "" if option.kind is bool else " N" if option.kind is int else " TEXT"
    value = f" [{value.strip()}]" if option.bare is not None else value
    return f"{short}--{option.name}{value}"


def _explained(option: Option) -> str:
    default = f" (default: {option.default})" if option.default not in (None, False, "") else ""
    return option.help + default


def _rows(pairs: Iterable[tuple[str, str]]) -> list[str]:
    lines = []
    for name, text in pairs:
        first, *rest = _wrapped(text, _width() - _COLUMN) or [""]
        start = f"{_INDENT}{name}"
        if len(start) < _COLUMN - 1:
            lines.append(f"{start:<{_COLUMN}}{first}".rstrip())
        else:
            lines += [start, " " * _COLUMN + first]
        lines += [" " * _COLUMN + line for line in rest]
    return lines


def _wrapped(text: str, width: int = 0) -> list[str]:
    return textwrap.wrap(text, width or _width(), break_long_words=False, break_on_hyphens=False)


def listing(groups: Groups, names: Mapping[Command, str]) -> list[str]:
    """All commands by name, a line each."""
    every = [command for commands in groups.values() for command in commands]
    return _rows(sorted((names[command], summary(command)) for command in every))
