"""The commands as Invoke knows them, for the tests of the command line and its documentation."""

import json
from functools import cache

from invoke.parser.context import ParserContext

from tasks import namespace

from .project import inv


@cache
def helps() -> dict[str, str]:
    """Every task as one types it, and its help; a collection's default by the collection's name."""
    listing = json.loads(inv("--list", "--list-format=json").stdout)
    found = {task["name"]: task["help"] for task in listing["tasks"]}
    for room in listing["collections"]:
        for task in room["tasks"]:
            name = f"{room['name']}.{task['name']}"
            found[room["name"] if task["name"] == room["default"] else name] = task["help"]
    return found


@cache
def contexts() -> tuple[ParserContext, ...]:
    """What Invoke's parser is made from."""
    return tuple(namespace.to_contexts())


def flags() -> dict[str, set[str]]:
    """Every task and its flags, those of positional arguments too."""
    parsed = {
        name: {flag for flag in context.flags if flag.startswith("--")}
        for context in contexts()
        for name in (context.name, *context.aliases)
    }
    return {name: parsed[name] for name in helps()}


def positional() -> dict[str, set[str]]:
    """Every task and those of its flags that need not be named."""
    parsed = {
        name: {f"--{argument.name}" for argument in context.args.values() if argument.positional}
        for context in contexts()
        for name in (context.name, *context.aliases)
    }
    return {name: parsed[name] for name in helps()}
