"""Records as JSON, and back.

Fields that are missing take their defaults and unknown ones are left out, so that backups
and programs of other versions can be read.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_json(record: Any, **more: Any) -> str:
    """One line: the fields of `record`, a list of such, or any other value; and `more`."""
    values = plain(record)
    return json.dumps({**values, **more} if more else values, sort_keys=True)


def plain(value: Any) -> Any:
    """Records, also in a list, as dictionaries."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def from_json(kind: type[T], text: str) -> T:
    """The record of type `kind` in `text`; raises ValueError for anything else."""
    return decode(kind, json.loads(text))


def decode(kind: type[T], value: Any) -> T:
    """`value` as a `kind`; raises ValueError unless it has the fields without a default."""
    return cast(T, _decode(kind, value))


def _decode(kind: Any, value: Any) -> Any:
    if is_dataclass(kind):
        return _record(kind, value)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _decode(next(k for k in inner if k is not type(None)), value) if value else value
    if origin in (tuple, list, Sequence, Collection):
        _expect(value, list, kind)
        found = [_decode(inner[0], item) for item in value]
        return found if origin is list else tuple(found)
    if origin in (dict, Mapping):
        _expect(value, dict, kind)
        return {name: _decode(inner[1], item) for name, item in value.items()}
    return value


def _record(kind: Any, value: Any) -> Any:
    _expect(value, dict, kind)
    types = _types(kind)
    # A null stands for nothing that is known: the default, where there is one.
    known = {
        f.name: value[f.name]
        for f in fields(kind)
        if f.name in value and (value[f.name] is not None or _is_required(f))
    }
    try:
        return kind(**{name: _decode(types[name], item) for name, item in known.items()})
    except TypeError as error:
        raise ValueError(f"{kind.__name__}: {error}") from error


def _is_required(given: Field[Any]) -> bool:
    return given.default is MISSING and given.default_factory is MISSING


@cache
def _types(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _expect(value: Any, kind: type, wanted: Any) -> None:
    if not isinstance(value, kind):
        name = getattr(wanted, "__name__", str(wanted))
        raise ValueError(f"{name} was expected, and a {type(value).__name__} came")
