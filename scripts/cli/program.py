"""The program `inv`: what it makes of a command line."""

import json
from collections.abc import Sequence
from typing import Any

from invoke.collection import Collection
from invoke.exceptions import Exit
from invoke.program import Program

from scripts.cli import completion, help_pages, version, words
from scripts.core.console import Console
from scripts.core.errors import OpsError, explained
from scripts.core.tasklib import Command, show_error


class Inv(Program):
    """Invoke's program, with a command line of its own.

    Invoke's parser knows no positional value that may be left out, and explains nothing that it
    does not understand.
    """

    def __init__(self, namespace: Collection, groups: help_pages.Groups) -> None:
        super().__init__(namespace=namespace, name="inv", binary="inv")
        self._collection = namespace
        self._groups = groups
        self._commands = _commands(namespace)
        for command, name in self._names().items():
            command.shown = name

    def run(self, argv: Any = None, exit: bool = True) -> None:
        """Do what `argv` asks for, its first word being the program.

        Raises SystemExit with the exit code: 0 done, 1 failed, 2 wrong command line or settings.
        """
        self.normalize_argv(argv)
        given = self.argv[1:]
        try:
            self._run(given)
        except Exit as end:
            raise SystemExit(end.code) from None
        except OpsError as error:
            show_error(error, as_json="--json" in given)
            raise SystemExit(error.exit_code) from None
        except OSError as error:
            if not (found := explained(error)):
                raise
            show_error(found, as_json="--json" in given)
            raise SystemExit(found.exit_code) from None

    def create_config(self) -> None:
        """See Program.create_config; without the files of Invoke's, which are for other programs.

        The home folder may belong to somebody else, or a file in it be wrong.
        """
        self.config = self.config_class(lazy=True)

    def _run(self, given: Sequence[str]) -> None:
        if given[:1] == ["--complete"]:
            found = completion.candidates(given[1:], self._commands)
            return self._say(found) if found else None
        if given[:1] == ["--print-completion-script"]:
            return self._say(completion.script(given[1:]))
        if given[:2] == ["--list", "--list-format=json"]:
            return self._say([json.dumps(self._listing())])
        line = words.parse(given, self._commands)
        if "version" in line.general:
            return self._say(version.lines())
        if "list" in line.general:
            return self._say(help_pages.listing(self._groups, self._names()))
        if "help" in line.general or not line.calls:
            topic = line.topic or (line.calls[-1].name if line.calls else "")
            return self._say(self._help(topic))
        return self._execute(line)

    def _execute(self, line: words.Line) -> None:
        self.create_config()
        run = {"dry": "dry" in line.general, "echo": "echo" in line.general}
        self.config.load_overrides({"run": run})
        executor = self.executor_class(self._collection, self.config)
        executor.execute(*((call.name, call.values) for call in line.calls))

    def _help(self, topic: str) -> list[str]:
        names = self._names()
        if not topic:
            return help_pages.overview(self._groups, names)
        if topic in self._commands:
            command = self._commands[topic]
            return help_pages.page(names[command], command)
        for title, commands in self._groups.items():
            some = [c for c in commands if names[c].startswith(f"{topic}.")]
            if some:
                return help_pages.group(title, some, names)
        words.parse([topic], self._commands)  # says what is near
        raise AssertionError(topic)

    def _names(self) -> dict[Command, str]:
        """The name by which each command is shown: the shortest that it has."""
        found: dict[Command, str] = {}
        for name, command in self._commands.items():
            if command not in found or len(name) < len(found[command]):
                found[command] = name
        return found

    def _listing(self) -> list[dict[str, str]]:
        return [
            {"name": name, "help": help_pages.summary(command)}
            for command, name in sorted(self._names().items(), key=lambda row: row[1])
        ]

    @staticmethod
    def _say(lines: Sequence[str]) -> None:
        Console.standard().say(*lines)


def _commands(namespace: Collection) -> dict[str, Command]:
    """Every command under its name and its aliases."""
    return {
        word: namespace[name]
        for name, aliases in namespace.task_names.items()
        for word in (name, *aliases)
    }
