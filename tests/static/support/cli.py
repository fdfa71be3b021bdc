"""The commands as `inv` knows them, for the tests of the command line and its documentation."""

from scripts.cli import help_pages
from scripts.core.tasklib import Command
from tasks import namespace


def commands() -> dict[str, Command]:
    """Every command under its name and its aliases."""
    return {
        word: namespace[name]
        for name, aliases in namespace.task_names.items()
        for word in (name, *aliases)
    }


def shown() -> dict[str, Command]:
    """Every command under the name by which it is shown, such as backup for backup.create."""
    names: dict[Command, str] = {}
    for name, command in commands().items():
        names[command] = min(name, names.get(command, name), key=len)
    return {name: command for command, name in names.items()}


def helps() -> dict[str, str]:
    """Every command as one types it, and what it is for."""
    return {name: help_pages.summary(command) for name, command in shown().items()}


def flags() -> dict[str, set[str]]:
    """Every command and its options, those of positional arguments too."""
    return {name: {f"--{o.name}" for o in made.options} for name, made in shown().items()}


def positional() -> dict[str, set[str]]:
    """Every command and those of its options that need not be named."""
    return {
        name: {f"--{option.name}" for option in made.options if option.positional}
        for name, made in shown().items()
    }
