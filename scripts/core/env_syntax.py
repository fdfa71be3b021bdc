"""The language of `.env`, as Docker Compose reads it; tests/static/test_env_syntax.py compares.

Not that of a shell, nor of other programs that read such files: `$NAME` is expanded in plain and
in double-quoted values, `$$` is a dollar sign, and `#` begins a comment after a space only.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

# What Compose takes for white space; Python has more, such as \x1c.
_SPACES: Final = "\t\v\f\r \x85\xa0"
_BLANKS: Final = (
    _SPACES
    + "\n\u1680\u2028\u2029\u202f\u205f\u3000"
    + "".join(chr(code) for code in range(0x2000, 0x200B))
)
_REFERENCE: Final = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<plain>[_a-z][_a-z0-9]*)"
    r"|\{(?:(?P<name>[_a-z][_a-z0-9]*)(?:(?P<operator>:?[-+?])(?P<word>.*))?\}|(?P<wrong>)))",
    re.IGNORECASE,
)
_ESCAPE: Final = re.compile(r"\\([abcfnrtv$\"\\]|0[0-9]{0,3})")
_ESCAPED: Final = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
    "$": "$$",
}
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@%+,=~*?&;^-]*")


class EnvSyntaxError(ValueError):
    """What Compose cannot read either."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True)
class Parsed:
    """What a file says."""

    values: dict[str, str] = field(default_factory=dict)
    unset: dict[str, str] = field(default_factory=dict)  # a name without a value: who refers to it
    references: set[str] = field(default_factory=set)  # all names that values refer to
    repeated: set[str] = field(default_factory=set)  # names with several values; the last one wins
    bare: set[str] = field(default_factory=set)  # names without `=`, of which nothing is read


def parse(text: str, environment: Mapping[str, str] | None) -> Parsed:
    """The variables in `text`, whose values may refer to those of `environment`.

    None: nothing is expanded. Raises EnvSyntaxError with the line.
    """
    parsed = _parse(text, environment)
    if environment is not None:  # Compose reads the file again with what it has found in it
        _parse(text, {**parsed.values, **environment})
    return parsed


def _parse(text: str, environment: Mapping[str, str] | None) -> Parsed:
    parsed = Parsed()
    rest = text
    while rest := _statement(rest):
        line = text.count("\n", 0, len(text) - len(rest)) + 1
        try:
            rest = _read(rest, parsed, environment)
        except ValueError as error:
            raise EnvSyntaxError(str(error), line) from None
    parsed.values.pop("", None)
    return parsed


def quoted(value: str) -> str:
    """`value` such that `parse` gives it back."""
    if _PLAIN.fullmatch(value):
        return value
    if _PLAIN.fullmatch(value.replace(" ", "")):
        return f'"{value}"'
    if "'" not in value and not value.endswith("\\"):
        return f"'{value}'"
    return '"' + re.sub(r'[\\"$]', r"\\\g<0>", value) + '"'


def _statement(text: str) -> str:
    """`text` from its first line that is neither empty nor a comment."""
    while (text := text.lstrip(_BLANKS)).startswith("#"):
        text = text.partition("\n")[2]
    return text


def _read(text: str, parsed: Parsed, environment: Mapping[str, str] | None) -> str:
    """Read one variable; what follows it."""
    name, text, has_value = _name(text)
    if " " in name:
        raise ValueError(f"{name!r} is no name of a variable")
    if not has_value:  # `export NAME` is for the environment, whose variables win anyhow
        parsed.bare.add(name)
        return text
    value, rest, literal = _value(text)
    if not literal and environment is not None:
        value = _expand(value, partial(_look_up, parsed, environment, name))
    if parsed.values.get(name, value) != value:
        parsed.repeated.add(name)
    parsed.values[name] = value
    return rest


def _look_up(
    parsed: Parsed, environment: Mapping[str, str], owner: str, name: str, *, needed: bool
) -> str | None:
    parsed.references.add(name)
    value = environment.get(name, parsed.values.get(name))
    if value is None and needed:
        parsed.unset.setdefault(name, owner)
    return value


def _name(text: str) -> tuple[str, str, bool]:
    """The name, what follows, and whether that is a value."""
    if re.match(r"export[\t\n\f\r ]", text):
        text = text.removeprefix("export").lstrip(_SPACES)
    for place, sign in enumerate(text):
        if sign in "=:\n":
            return text[:place].rstrip(_BLANKS), text[place + 1 :].lstrip(_SPACES), sign != "\n"
        if sign not in f"{_SPACES}_.-[]" and unicodedata.category(sign)[0] not in "LN":
            raise ValueError(f"unexpected {sign!r} in the name of a variable")
    if not text:
        raise ValueError("`export` without a name")
    return "", text, True  # the last line, without a `=`


def _value(text: str) -> tuple[str, str, bool]:
    """The value as it is written, what follows it, and whether it is to be taken literally."""
    quote = text[:1]
    if quote not in ("'", '"') or not quote:
        line, _, rest = text.partition("\n")
        return line.partition(" #")[0].rstrip(_BLANKS), rest, False
    found = re.match(rf"{quote}((?:[^\\{quote}]|\\.)*){quote}", text, re.DOTALL)
    if not found:
        raise ValueError(f"a value begins with {quote} and has no second one")
    value = found[1].replace(f"\\{quote}", quote) if "\\" in found[1] else found[1]
    if quote == '"':
        value = _ESCAPE.sub(_unescape, value)
    return value, text[found.end() :], quote == "'"


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] != "0":
        return _ESCAPED.get(code, match[0])
    if re.fullmatch(r"0[0-3][0-7]{2}", code):
        return chr(int(code, 8))
    return f"\\{code[1:]}"


def _expand(text: str, look_up: Callable[..., str | None]) -> str:
    return _REFERENCE.sub(lambda match: _replacement(match[0], text, look_up), text)


def _replacement(part: str, text: str, look_up: Callable[..., str | None]) -> str:
    """What stands for `part`, which begins with a reference; raises ValueError if it is wrong."""
    end = _closing_brace(part)
    match = _REFERENCE.match(part[:end])
    if not match or match["wrong"] is not None:
        raise ValueError(f"{text!r} is no valid use of ${{NAME}}; a dollar sign itself is $$")
    if match["dollar"]:
        return "$"
    operator, word = match["operator"], match["word"] or ""
    if not operator:
        return look_up(match["plain"] or match["name"], needed=True) or ""
    value = look_up(match["name"], needed=False)
    there = value is not None if len(operator) == 1 else bool(value)
    if operator[-1] == "?" and not there:
        reason = f": {_expand(word, look_up)}" if word else ""
        raise ValueError(f"{match['name']} is required and has no value{reason}")
    if (operator[-1] == "+") is there:
        value = _expand(word, look_up) if operator[-1] != "?" else value
    return (value or "") + _expand(part[end:], look_up)


def _closing_brace(part: str) -> int:
    """Where the braces of the reference at the beginning end, as Compose counts them."""
    depth = place = 0
    while place < len(part):
        if part[place] == "}":
            depth -= 1
            if depth == 0:
                return place + 1
        if part[place] == "{":
            depth += 1
            place += 1
        place += 1
    return len(part)
