"""The databases of the server: what each is for, and the records exchanged as JSON."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from toolbox.contract import names


class Kind(StrEnum):
    """What a database is."""

    LIVE = "live"  # the platform's own
    COPY = "copy"  # another one of Odoo's: of a clone, a copy, a restore
    SNAPSHOT = "snapshot"  # what `inv module.rollback` goes back to
    BEFORE = "undo"  # what the last restore replaced
    TEMPORARY = "temporary"  # of a command that works, or was interrupted
    FILES = "files"  # a filestore whose database is gone
    OTHER = "other"  # not of Odoo


_SUFFIXES: Final = (
    (names.BEFORE, Kind.BEFORE),
    (names.SNAPSHOT, Kind.SNAPSHOT),
    (
        "|".join(
            (
                names.STAGED,
                names.SCRATCH,
                names.CLONE,
                names.REHEARSAL,
                names.MODULE_TEST,
                names.REVERTED,
                names.UNFINISHED,
            )
        ),
        Kind.TEMPORARY,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Database:
    """One database of the server. None stands for what cannot be known."""

    name: str
    kind: str  # a Kind
    bytes: int
    file_bytes: int  # of its filestore
    odoo: str | None = None  # the series
    neutralized: bool | None = None
    needed: str = ""  # why it cannot be dropped; '' if it can
    hint: str = ""
    url: str = ""  # where a served copy is


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """What was dropped."""

    name: str
    left: tuple[str, ...] = ()  # copies of it that are there still


def by_name(name: str, live: str) -> tuple[Kind, str]:
    """What `name` says that a database is (COPY if nothing else), and of which it is that."""
    if name == live:
        return Kind.LIVE, name
    for suffix, kind in _SUFFIXES:
        if found := re.fullmatch(f"(.+?)(?:{suffix})", name):
            return kind, found[1]
    return Kind.COPY, name


def needed(name: str, live: str, present: Collection[str]) -> tuple[str, str]:
    """Why the database `name` must not be dropped, and what to do; '' twice if it may be.

    `present` has the names of all.
    """
    kind, base = by_name(name, live)
    if kind is Kind.LIVE:
        return "it is the platform's own", "inv restore replaces it; inv down --volumes destroys it"
    if name.endswith(names.UNFINISHED):
        return f"a first start is filling it, to be {base!r}", "inv up goes on with that"
    if kind in (Kind.BEFORE, Kind.SNAPSHOT) and base == live and base not in present:
        hint = "inv restore --undo" if kind is Kind.BEFORE else "inv module.rollback"
        return "the platform's own database is missing, and this is the way back to it", hint
    return "", ""
