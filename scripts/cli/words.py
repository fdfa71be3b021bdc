"""The words of a command line: which commands are meant, with which options."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import pairwise
from typing import Any, Final

from scripts.core.errors import UsageError
from scripts.core.tasklib import Command, Option

# Words of other programs, or of older versions of this one, and what is meant here.
_SYNONYMS: Final = {
    "--production": "--prod",
    "--development": "--dev",
    "--dry-run": "--dry",
    "--verbose": "--echo",
    "--force-yes": "--yes",
    "--assume-yes": "--yes",
    "--lines": "--tail",
    "--db": "--database",
    "start": "up",
    "stop": "down",
    "list": "help",
    "install": "module.install",
    "update": "module.update",
}
_OPTION: Final = re.compile(r"-[A-Za-z]+|--[a-z][a-z-]*(=.*)?")
_HELP: Final = "inv help lists the commands."


@dataclass(frozen=True)
class General:
    """An option of every command."""

    name: str
    short: str
    help: str


GENERAL: Final = (
    General("help", "h", "Show this help, or that of a command."),
    General("version", "V", "Show the versions of the platform, Odoo, Compose and the engine."),
    General("list", "l", "List all commands, a line each."),
    General("dry", "R", "Show the programs that would change something, instead of running them."),
    General("echo", "e", "Show every program that is run."),
)


@dataclass
class Call:
    """A command, and the values that it was given, by parameter."""

    name: str
    command: Command
    values: dict[str, Any] = field(default_factory=dict)

    def option(self, flag: str) -> Option | None:
        """That which is written as `flag`, such as --follow or -f."""
        name = self.command.aliases_of_options.get(flag.removeprefix("--"), "")
        flag = f"--{name}" if name else flag
        for option in self.command.options:
            if flag in (f"--{option.name}", f"-{option.short}" if option.short else None):
                return option
        return None

    def next_positional(self) -> Option | None:
        """The first that has no value yet."""
        free = (o for o in self.command.options if o.attribute not in self.values)
        return next((option for option in free if option.positional), None)

    def give(self, option: Option, value: Any) -> None:
        """Raises UsageError where `option` has a value already: one of them would be lost."""
        if option.attribute in self.values and option.kind is not bool:
            raise UsageError(
                f"inv {self.name}: --{option.name} is given twice", f"inv help {self.name}"
            )
        self.values[option.attribute] = value


@dataclass
class Line:
    """What a command line asks for."""

    calls: list[Call] = field(default_factory=list)
    general: set[str] = field(default_factory=set)
    topic: str = ""  # what `inv help` is to explain


def parse(words: Sequence[str], commands: Mapping[str, Command]) -> Line:
    """Returns what `words` ask for; raises UsageError for what cannot be meant.

    `commands` has each under its name and its aliases.
    """
    line, left = Line(), list(words)
    if left[:1] == ["help"]:
        return _help(left[1:], commands)
    while left:
        word = left.pop(0)
        if word.startswith("-") and word != "-":
            _take_option(line, word, left, commands)
        else:
            _take_word(line, word, left, commands)
    if not line.general & {"help", "version", "list"}:
        for call in line.calls:
            _require_all(call)
        _require_last(line.calls)
    return line


def _help(words: Sequence[str], commands: Mapping[str, Command]) -> Line:
    line, topic = Line(general={"help"}), []
    for word in words:
        if general := _general(word):
            line.general.add(general.name)
        elif word.startswith("-"):
            raise _unknown_option(word, None, (), commands)
        elif word != "help":
            topic.append(word)
    line.topic = ".".join(topic)
    return line


def _take_word(line: Line, word: str, left: Sequence[str], commands: Mapping[str, Command]) -> None:
    call = line.calls[-1] if line.calls else None
    if call and (option := call.next_positional()):
        call.give(option, option.convert(word, f"inv help {call.name}"))
    elif word in commands:
        line.calls.append(Call(word, commands[word]))
    elif word == "help" and not call:
        line.general.add("help")
    elif "help" in line.general and not call:
        line.topic = word
    else:
        raise _unknown(word, call, left, commands)


def _take_option(line: Line, word: str, left: list[str], commands: Mapping[str, Command]) -> None:
    flag, given, value = word.partition("=")
    call = line.calls[-1] if line.calls else None
    option = call.option(flag) if call else None
    general = _general(flag)
    if given and ((option and option.kind is bool) or (general and not option)):
        raise UsageError(f"{_of(call)}{flag} takes no value", _more(call))
    if call and option:
        if option.kind is bool:
            call.give(option, True)
        else:
            text = value if given else _value(call, option, flag, left)
            call.give(option, option.convert(text, f"inv help {call.name}"))
    elif general:
        line.general.add(general.name)
    elif len(word) > 2 and word[1] != "-" and _is_short(call, word[:2]):
        _split(line, word, left, commands)
    else:
        raise _unknown_option(flag, call, left, commands)


def _split(line: Line, word: str, left: list[str], commands: Mapping[str, Command]) -> None:
    """Take -n5 or -fy: a letter with its value, or several letters."""
    call = line.calls[-1] if line.calls else None
    option = call.option(word[:2]) if call else None
    takes_value = option is not None and option.kind is not bool
    left[:0] = [word[:2], word[2:]] if takes_value else [word[:2], f"-{word[2:]}"]
    _take_option(line, left.pop(0), left, commands)


def _is_short(call: Call | None, flag: str) -> bool:
    return bool((call and call.option(flag)) or _general(flag))


def _general(flag: str) -> General | None:
    return next((g for g in GENERAL if flag in (f"--{g.name}", f"-{g.short}")), None)


def _value(call: Call, option: Option, flag: str, left: list[str]) -> str:
    if option.bare is not None and not (left and left[0].isdecimal()):
        return str(option.bare)
    # A value that begins with a dash is more often a forgotten one, before the next option.
    if not left or _OPTION.fullmatch(left[0]):
        hint = f"If the value begins with a dash: {flag}=VALUE" if left else f"inv help {call.name}"
        raise UsageError(f"inv {call.name}: {flag} needs a value", hint)
    return left.pop(0)


def _require_all(call: Call) -> None:
    for option in call.command.options:
        if option.required and option.attribute not in call.values:
            raise UsageError(
                f"inv {call.name}: {option.name.upper()} is missing", f"inv help {call.name}"
            )


def _require_last(calls: Sequence[Call]) -> None:
    """What a program follows that has the terminal for itself would never be done."""
    for call, after in pairwise(calls):
        if call.command.takes_over:
            hint = f"Call it by itself, and then: inv {after.name}"
            raise UsageError(f"nothing can follow inv {call.name}", hint)


def _unknown(
    word: str, call: Call | None, left: Sequence[str], commands: Mapping[str, Command]
) -> UsageError:
    reason = f"{word!r} is not a command"
    if call:
        reason = f"inv {call.name} takes no further value, and {reason}"
    for joined in (f"{call.name}.{word}" if call else "", f"{word}.{left[0]}" if left else ""):
        if joined in commands:
            return UsageError(reason, f"Did you mean: inv {joined}")
    if any(name.startswith(f"{word}.") for name in commands):
        return UsageError(f"{reason}, but a group", f"inv help {word}")
    if near := _nearest(word, commands):
        return UsageError(reason, f"Did you mean: inv {near}")
    return UsageError(reason, _more(call))


def _unknown_option(
    flag: str, call: Call | None, left: Sequence[str], commands: Mapping[str, Command]
) -> UsageError:
    known = [f"--{general.name}" for general in GENERAL]
    if call:
        known += [f"--{option.name}" for option in call.command.options]
    near = _nearest(flag, known)
    meant = next((word for word in left if word in commands), "")
    if meant and not call and Call(meant, commands[meant]).option(flag):
        near = f"inv {meant} {flag}"
    hint = f"Did you mean: {near}" if near else _more(call)
    return UsageError(f"{_of(call)}{flag} is not an option", hint)


def _of(call: Call | None) -> str:
    return f"inv {call.name}: " if call else ""


def _more(call: Call | None) -> str:
    return f"inv help {call.name}" if call else _HELP


def _nearest(word: str, known: Iterable[str]) -> str:
    names = list(known)
    if _SYNONYMS.get(word) in (*names, "help"):
        return _SYNONYMS[word]
    close = get_close_matches(word.lower().replace("_", "-"), names, n=1, cutoff=0.7)
    return close[0] if close else ""
