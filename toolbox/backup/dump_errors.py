"""What a failing statement of a dump means: nothing, something left out, or a failure.

psql and pg_restore go on after an error. That is right for what another server has and this
one has not (its roles, its settings, its extensions), and wrong for everything else.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from toolbox.core.errors import Failure
from toolbox.core.text import printable

SHOWN = 300  # characters of a message
_NAMED = 3
# psql --file=- --echo-errors, and pg_restore, in the language C.
_ERROR = re.compile(
    r"(?:psql:<stdin>:\d+: |pg_restore: error: could not execute query: )"
    r"(?:ERROR|FATAL|PANIC): +(?P<message>.*)"
)
_OWN_ERROR = re.compile(r"(?:psql:<stdin>:\d+|psql|pg_restore): error: (?P<message>.*)")
_STATEMENT = re.compile(r"(?:psql:<stdin>:\d+: STATEMENT|Command was): +(?P<statement>.*)")
_NEXT = re.compile(r"psql:<stdin>:\d+: |psql: |pg_restore: ")
_ABSENT, _PRESENT = "does not exist", "already exists"

# Kinds of statements, by their beginning; the first that fits counts. What is said of those
# that fail names the group, or is '' where nothing is lost.
_ROLES = "permissions of roles of the other server"
_LEFT_OUT = tuple(
    (re.compile(pattern, re.IGNORECASE), reason, what)
    for pattern, reason, what in (
        (r"DROP\s", "", ""),
        (r"ALTER\s.*\sDROP\s", _ABSENT, ""),
        (r"ALTER\s.*\sOWNER TO\s", "", ""),  # the owner is ours, as of every database here
        (r"(GRANT|REVOKE|ALTER DEFAULT PRIVILEGES|SECURITY LABEL)\s", "", _ROLES),
        (r"CREATE (ROLE|USER|GROUP|EXTENSION|SCHEMA|DATABASE)\s", _PRESENT, ""),
        (r"(CREATE|ALTER|COMMENT ON) (ROLE|USER|GROUP)\s", "", _ROLES),
        (r"SET (SESSION AUTHORIZATION|ROLE)\s", "", _ROLES),
        (r"(CREATE|ALTER) POLICY\s", 'role ".*" ' + _ABSENT, _ROLES),
        (r"SET (transaction_timeout|idle_session_timeout)\s", "", ""),
        (r"SET \w+(\.\w+)? ?(=|TO)", "", "settings"),
        (r"ALTER (DATABASE|SYSTEM)\s.*\sSET\s", "", "settings of the database"),
        (r"CREATE EXTENSION\s", "is not available|could not open extension", "extensions"),
        (r"COMMENT ON (EXTENSION|TABLESPACE|PUBLICATION|SUBSCRIPTION|SERVER|DATABASE)\s", "", ""),
        (r"(CREATE|ALTER) TABLESPACE\s|ALTER\s.*\sSET TABLESPACE\s", "", "tablespaces"),
        (r"(CREATE|ALTER) (PUBLICATION|SUBSCRIPTION)\s", "", "publications and subscriptions"),
        (r"(CREATE|ALTER) (SERVER|USER MAPPING|FOREIGN DATA WRAPPER)\s", "", "foreign servers"),
        (r"(CREATE|ALTER) EVENT TRIGGER\s", "", "event triggers"),
    )
)


def short(text: str) -> str:
    """The beginning of untrusted `text`, as it may be shown on a terminal."""
    return printable(text)[:SHOWN]


@dataclass
class DumpErrors:
    """Listens to psql or pg_restore; raises Failure at the first error that counts."""

    name: str  # of the file, for people
    left_out: dict[str, set[str]] = field(default_factory=dict)
    errors: int = 0
    said: str = ""  # the last line, for a program that dies without an error
    _message: str = ""

    def read(self, lines: Iterable[str]) -> None:
        """Every line of the program's standard error."""
        for line in lines:
            self.said = line.strip() or self.said
            self._read(line.rstrip("\n"))
        self._settle()

    def _read(self, line: str) -> None:
        found = _STATEMENT.match(line)
        if found and self._message:
            message, self._message = self._message, ""
            return self._sort(message, found["statement"])
        if _NEXT.match(line):
            self._settle()
        if error := _ERROR.match(line):
            self._message = error["message"]
        elif own := _OWN_ERROR.match(line):
            raise self.refusal(own["message"])
        return None

    def _settle(self) -> None:
        """An error without its statement is one of data, or of a program that gave up."""
        if self._message:
            raise self.refusal(self._message)

    def _sort(self, message: str, statement: str) -> None:
        self.errors += 1
        for pattern, reason, what in _LEFT_OUT:
            if pattern.match(statement) and re.search(reason, message):
                if what:
                    self.left_out.setdefault(what, set()).add(short(message))
                return
        raise self.refusal(message)

    def refusal(self, message: str) -> Failure:
        """What to raise for `message` of PostgreSQL's."""
        return Failure(f"PostgreSQL refuses {self.name}: {short(message)}")

    @property
    def lines(self) -> list[str]:
        """What was left out, for people."""
        return [f"left out: {what} ({_some(named)})" for what, named in self.left_out.items()]


def _some(found: Iterable[str]) -> str:
    names = sorted(found)
    return ", ".join([*names[:_NAMED], "…"] if len(names) > _NAMED else names)
