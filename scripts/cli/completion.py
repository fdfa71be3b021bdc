"""Completion of command lines in bash, zsh and fish."""

from collections.abc import Mapping, Sequence
from typing import Final

from scripts.cli.words import GENERAL, Call
from scripts.core.errors import UsageError
from scripts.core.tasklib import Command, Option

# What follows is typed as `inv` or as a path to it, such as ./scripts/inv.
_BASH: Final = r"""_inv() {
    local IFS=$'\n' word=${COMP_WORDS[COMP_CWORD]}
    mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" --complete \
        "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "$word")
}
complete -o default -F _inv inv ./scripts/inv scripts/inv"""
_ZSH: Final = r"""_inv() {
    local -a found
    found=("${(@f)$("${words[1]}" --complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    compadd -a found || _files
}
compdef _inv inv ./scripts/inv scripts/inv"""
_FISH: Final = r"""function __inv_candidates
    set --local words (commandline --tokenize --cut-at-cursor --current-process)
    $words[1] --complete $words[2..] (commandline --current-token --cut-at-cursor) 2>/dev/null
end
complete --command inv --no-files --arguments '(__inv_candidates)'"""
_SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def script(given: Sequence[str]) -> list[str]:
    """What a shell sources; raises UsageError for any other than bash, zsh and fish."""
    if len(given) != 1 or given[0] not in _SCRIPTS:
        raise UsageError("which shell?", "inv --print-completion-script bash|zsh|fish")
    return [_SCRIPTS[given[0]]]


def candidates(words: Sequence[str], commands: Mapping[str, Command]) -> list[str]:
    """What the last of `words`, which may be empty, can be completed to."""
    *before, last = words or [""]
    call, waiting = _state(before, commands)
    if waiting:
        found = values(waiting)
    elif last.startswith("-"):
        own = [f"--{option.name}" for option in call.command.options] if call else []
        found = [*own, *(f"--{general.name}" for general in GENERAL)]
    elif call and (option := call.next_positional()):
        found = values(option)
    else:
        found = [*commands, "help"]
    return sorted(word for word in found if word.startswith(last))


def _state(
    before: Sequence[str], commands: Mapping[str, Command]
) -> tuple[Call | None, Option | None]:
    """The command that the next word belongs to, and the option whose value it is."""
    call: Call | None = None
    waiting: Option | None = None
    for word in before:
        if call and waiting:
            call.values[waiting.attribute], waiting = word, None
        elif word.startswith("-"):
            option = call.option(word.partition("=")[0]) if call else None
            if call and option and option.kind is not bool and "=" not in word:
                waiting = option
            elif call and option:
                call.values[option.attribute] = True
        elif call and (positional := call.next_positional()):
            call.values[positional.attribute] = word
        elif word in commands:
            call = Call(word, commands[word])
    return call, waiting


def values(option: Option) -> list[str]:
    """What `option` can be, where that is known."""
    return []
