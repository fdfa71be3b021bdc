"""Completion of command lines in bash, zsh and fish."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from scripts.cli import help_pages, values
from scripts.cli.words import GENERAL, Call
from scripts.core.errors import UsageError
from scripts.core.tasklib import Command, Option

# Each finds the command by its last part: `inv`, ./scripts/inv or any other path to it. A line
# of what it prints is a candidate, a tab and what it is for, or says that paths are wanted.
_BASH: Final = r"""# For ~/.bashrc: source <(inv --print-completion-script bash)
_inv() {
    local line word=${COMP_WORDS[COMP_CWORD]} inv=${COMP_WORDS[0]//[\\\"\']/} files=
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            :files) files=1 ;;
            *) COMPREPLY+=("${line%%$'\t'*}") ;;
        esac
    done < <("${inv/#\~\//$HOME/}" --complete \
        "${COMP_WORDS[@]:1:COMP_CWORD}" </dev/null 2>/dev/null)
    [ -n "$files" ] || return 0
    while IFS= read -r line; do
        COMPREPLY+=("$line")
    done < <(compgen -f -- "$word")
    compopt -o default -o filenames 2>/dev/null
    return 0
}
complete -F _inv inv"""
_ZSH: Final = r"""# For ~/.zshrc: source <(inv --print-completion-script zsh)
_inv() {
    local line command=${(Q)words[1]/#\~\//$HOME/}
    local -a found
    local -i files=0
    local -a before=("${(@Q)words[2,CURRENT-1]}")
    for line in "${(@f)$("$command" --complete $before "${(Q)PREFIX}" </dev/null 2>/dev/null)}"; do
        case $line in
            '') ;;
            :files) files=1 ;;
            *) found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
        esac
    done
    (( $#found )) && _describe -V inv found
    (( files )) && _files
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
compdef _inv inv"""
_FISH: Final = r"""# For ~/.config/fish/config.fish: inv --print-completion-script fish | source
function __inv_candidates
    set --local words (commandline --tokenize --cut-at-cursor --current-process)
    set --local current (commandline --current-token --cut-at-cursor)
    set --local inv (string replace --regex '^~/' "$HOME/" -- $words[1])
    set --erase words[1]
    for line in ($inv --complete $words "$current" </dev/null 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path "$current"
        else
            echo $line
        end
    end
end
complete --command inv --no-files --keep-order --arguments '(__inv_candidates)'"""
_SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
_HELP: Final = ("help", "Show the help of a command.")


def script(given: Sequence[str]) -> list[str]:
    """What a shell sources; raises UsageError for any other than bash, zsh and fish."""
    if len(given) != 1 or given[0] not in _SCRIPTS:
        raise UsageError("which shell?", "inv --print-completion-script bash|zsh|fish")
    return [_SCRIPTS[given[0]]]


@dataclass
class _Place:
    """Where in a command line the next word is."""

    call: Call | None = None
    waiting: Option | None = None  # whose value it is
    general: set[str] = field(default_factory=set)
    topic: list[str] | None = None  # the words after `help`


def candidates(words: Sequence[str], commands: Mapping[str, Command]) -> list[str]:
    """What the last of `words`, which may be empty, can be completed to; a line each."""
    *before, last = words or [""]
    if last == "=":  # bash takes it for a word of its own
        last = ""
    place = _place(before, commands)
    flag, equals, _ = last.partition("=")
    option = place.call.option(flag) if place.call and last.startswith("-") else None
    if place.waiting and place.call:
        found = _values(place.call, place.waiting, last)
    elif place.call and option and equals:
        found = [
            (f"{flag}={value}", text)
            for value, text in _values(place.call, option, last.partition("=")[2])
        ]
    elif place.topic is not None:
        found = _topics(place.topic, commands)
    elif last.startswith("-"):
        found = _options(place)
    elif place.call and (positional := place.call.next_positional()):
        found = _values(place.call, positional, last)
    else:
        found = [*_summaries(commands), _HELP]
    fitting = [row for row in found if row[0].startswith(last) or row[0] == values.FILES]
    return ["\t".join(row) if row[1] else row[0] for row in fitting]


def _place(before: Sequence[str], commands: Mapping[str, Command]) -> _Place:
    if before[:1] == ["help"]:
        return _Place(topic=list(before[1:]))
    place = _Place()
    for word in before:
        call, waiting = place.call, place.waiting
        if word == "=":
            continue
        if call and waiting:
            call.values[waiting.attribute], place.waiting = word, None
        elif word.startswith("-"):
            _take_option(place, word)
        elif call and (positional := call.next_positional()):
            call.values[positional.attribute] = word
        elif word in commands:
            place.call = Call(_shown(word, commands), commands[word])
    return place


def _shown(word: str, commands: Mapping[str, Command]) -> str:
    """The shortest name of the command, such as backup of backup.create."""
    return min((name for name, made in commands.items() if made is commands[word]), key=len)


def _take_option(place: _Place, word: str) -> None:
    flag, equals, value = word.partition("=")
    option = place.call.option(flag) if place.call else None
    if not (place.call and option):
        place.general.add(flag)
    elif option.kind is bool or equals:
        place.call.values[option.attribute] = value
    else:
        place.waiting = option


def _options(place: _Place) -> list[tuple[str, str]]:
    own = place.call.command.options if place.call else ()
    given = place.call.values if place.call else {}
    left = [(f"--{o.name}", o.help) for o in own if o.attribute not in given]
    general = [(f"--{general.name}", general.help) for general in GENERAL]
    return [*left, *(row for row in general if row[0] not in place.general)]


def _values(call: Call, option: Option, last: str) -> list[tuple[str, str]]:
    """Those of `option`; after a comma, of the names that are not in the list yet."""
    known = values.of(call.name, option.attribute)
    if not values.takes_list(option.attribute) or "," not in last:
        return [(value, "") for value in known]
    there, _, _ = last.rpartition(",")
    return [(f"{there},{value}", "") for value in known if value not in there.split(",")]


def _topics(before: Sequence[str], commands: Mapping[str, Command]) -> list[tuple[str, str]]:
    """What `inv help` explains: a command, a group, or a command of the group in `before`."""
    if before:
        start = ".".join(before) + "."
        rows = _summaries(commands)
        return [(name.removeprefix(start), text) for name, text in rows if name.startswith(start)]
    groups = {name.partition(".")[0] for name in commands if "." in name}
    return [*_summaries(commands), *((name, "") for name in sorted(groups - commands.keys()))]


def _summaries(commands: Mapping[str, Command]) -> list[tuple[str, str]]:
    """Each command under its shortest name."""
    names = {_shown(name, commands) for name in commands}
    return [(name, help_pages.summary(commands[name])) for name in sorted(names)]
