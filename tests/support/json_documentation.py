"""What docs/json.md says of the output of each command, and what an output has that it does not."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from tests.conftest import ROOT

_SECTION = re.compile(
    r"^### (.+)\n\n(.+)\n\n\| field \| type \| meaning \|\n\|.*\n((?:\|.*\n?)+)", re.M
)
_ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+?) \| ([^|]+?) \|$", re.M)
_SINGLE = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "null": NoneType,
}
# A command that prints the field only with another option.
_ONLY_SOMETIMES = {"token"}


@dataclass(frozen=True)
class Record:
    """The document of a command: an object, or a list of such."""

    many: bool
    fields: Mapping[str, str]  # by path, such as lost[].file, and their types


@cache
def documented() -> Mapping[str, Record]:
    """The record of each command, which may have an option with it."""
    text = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
    found = {}
    for heading, form, rows in _SECTION.findall(text):
        record = Record(
            form.startswith("A list"), {path: kind for path, kind, _ in _ROW.findall(rows)}
        )
        for command in re.findall(r"`inv ([^`]+)`", heading):
            found[command] = record
    return found


def problems(command: str, output: str) -> list[str]:
    """Where the document `output` of `command` differs from what is documented."""
    record, value = documented()[command], json.loads(output)
    items = value if record.many and isinstance(value, list) else [value]
    found = []
    for item in items:
        if not isinstance(item, dict):
            return [f"{type(item).__name__} is not what is documented"]
        found += list(_differences("", item, record.fields))
    return found


def as_documented(command: str, output: str) -> Any:
    """The document `output` of `command`; raises AssertionError where it is not as documented."""
    assert problems(command, output) == [], output[:2000]
    return json.loads(output)


def _differences(start: str, item: Mapping[str, Any], known: Mapping[str, str]) -> Iterator[str]:
    own = {path.removeprefix(start): kind for path, kind in known.items() if path.startswith(start)}
    names = {path for path in own if not re.search(r"[.\[]", path)}
    yield from (f"{start}{name} is not printed" for name in names - item.keys() - _ONLY_SOMETIMES)
    for name, value in item.items():
        if name not in names:
            yield f"{start}{name} is not documented"
        elif not _fits(value, own[name]):
            yield f"{start}{name} is {value!r}, not {own[name]}"
        elif isinstance(value, dict) and any(path.startswith(f"{name}.") for path in own):
            yield from _differences(f"{start}{name}.", value, known)
        elif isinstance(value, list) and any(path.startswith(f"{name}[].") for path in own):
            for each in value:
                yield from _differences(f"{start}{name}[].", each, known)


def _fits(value: Any, kind: str) -> bool:
    for one in kind.split(" or "):
        container, _, inner = one.partition(" of ")
        if not inner and type(value) in _types(one):
            return True
        if container == "list" and isinstance(value, list):
            return all(_fits(each, inner.removesuffix("s")) for each in value)
        if inner and container == "object" and isinstance(value, dict):
            return all(_fits(each, inner.removesuffix("s")) for each in value.values())
    return False


def _types(kind: str) -> tuple[type, ...]:
    found = _SINGLE[kind]
    return found if isinstance(found, tuple) else (found,)


def of_dataclass(kind: type, start: str = "") -> dict[str, str]:
    """The fields of a record by path, and their types, as docs/json.md writes them."""
    assert is_dataclass(kind)
    hints, found = get_type_hints(kind), {}
    for field in fields(kind):
        path, hint = f"{start}{field.name}", hints[field.name]
        found[path] = _spelled(hint)
        for inner in (hint, *get_args(hint)):
            if is_dataclass(inner) and isinstance(inner, type):
                listed = "[]" if _spelled(hint).startswith("list") else ""
                found |= of_dataclass(inner, f"{path}{listed}.")
    return found


def _spelled(hint: Any) -> str:
    origin, arguments = get_origin(hint), [a for a in get_args(hint) if a is not Ellipsis]
    if origin in (Union, UnionType):
        return " or ".join(_spelled(argument) for argument in arguments)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        inner = _spelled(arguments[1])
        return f"object of {inner}s" if inner in ("string", "integer", "number") else "object"
    if origin is not None:
        return f"list of {_spelled(arguments[0])}s"
    simple = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return "string"
    return simple.get(hint, "object")
