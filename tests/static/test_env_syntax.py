"""`.env` as we read it and as the real Compose does: one table, asked of both."""

import json
import random
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scripts.core.env_syntax import EnvSyntaxError, parse, quoted
from tests.static.support.project import has_compose, public_environment, run

_NAMES = ("A", "B", "C")
_HOME = "/home/me"
_INHERITED = "of the environment"
_WRONG = None  # Compose refuses the file
# What a file says, and what its variables are then.
_CASES: Mapping[str, Mapping[str, str] | None] = {
    # plain values
    "A=v": {"A": "v"},
    "A=": {"A": ""},
    "A=v w  x  ": {"A": "v w  x"},
    "  A=v": {"A": "v"},
    "A = v": {"A": "v"},
    "A: v": {"A": "v"},
    "A==v=w": {"A": "=v=w"},
    "A=1\nA=2": {"A": "2"},
    "A=\n  B=2": {"A": "", "B": "2"},
    "A=v\r\nB=2\r\n": {"A": "v", "B": "2"},
    "A=1\rB=2": {"A": "1\rB=2"},
    "A=a\x0cB=2": {"A": "a\x0cB=2"},
    "A=\u00fc\u2003": {"A": "\u00fc"},
    "A=x\u2028B=2": {"A": "x\u2028B=2"},
    "A=v\x1c": {"A": "v\x1c"},
    "A=a\\nb\\": {"A": "a\\nb\\"},
    "A=x'y'\"z\"": {"A": "x'y'\"z\""},
    "A=$(ls)`ls`!x": {"A": "$(ls)`ls`!x"},
    "A": {},
    "A\nB=2": {"B": "2"},
    "A=v\n  w\nB=2": {"A": "v", "B": "2"},
    "A B=v": _WRONG,
    "A!=v": _WRONG,
    "A=1\n\ufeffB=2": _WRONG,
    # export
    "export A=v": {"A": "v"},
    "export\t A = v": {"A": "v"},
    "exportA=v": {},
    "export C": {"C": _INHERITED},
    "export ": _WRONG,
    # comments
    "# A=1\n  # B\nA=2": {"A": "2"},
    "A=v # comment": {"A": "v"},
    "A=v#none": {"A": "v#none"},
    "A=v\t# none": {"A": "v\t# none"},
    "A=#x": {"A": "#x"},
    "A= #x": {"A": "#x"},
    'A="v" # comment': {"A": "v"},
    'A="v # none"': {"A": "v # none"},
    "A='v # none'": {"A": "v # none"},
    # references
    "A=$HOME/bk": {"A": f"{_HOME}/bk"},
    "A=${HOME}/bk": {"A": f"{_HOME}/bk"},
    "A=~/bk": {"A": "~/bk"},
    "A=$HOMEx": {"A": ""},
    "A=$HOME-x": {"A": f"{_HOME}-x"},
    "B=1\nA=$B": {"A": "1", "B": "1"},
    "A=$B\nB=1": {"A": "", "B": "1"},
    "A=${A}x\nA=${A}y": {"A": "xy"},
    "C=file\nA=$C": {"A": _INHERITED, "C": _INHERITED},
    "A=a$$HOME": {"A": "a$HOME"},
    "A=a\\$HOME": {"A": f"a\\{_HOME}"},
    "A=$ $1 $- $": {"A": "$ $1 $- $"},
    "A=${NO:-x}": {"A": "x"},
    "A=${NO-x}": {"A": "x"},
    "B=\nA=${B:-x}": {"A": "x", "B": ""},
    "B=\nA=${B-x}": {"A": "", "B": ""},
    "A=${HOME:-x}}": {"A": f"{_HOME}}}"},
    "A=${NO:-${HOME:-x}/y}/z": {"A": f"{_HOME}/y/z"},
    "A=${NO:-a}-${HOME:-b}?": {"A": f"a-{_HOME}?"},
    "A=${NO:-a b#c}": {"A": "a b#c"},
    'A=${NO:-"x"}': {"A": '"x"'},
    "A=${NO:-{}}": {"A": "{}"},
    "A=${NO:+x}": {"A": ""},
    "B=\nA=${B:+x}${B+y}": {"A": "y", "B": ""},
    "B=1\nA=${B:+x$B}": {"A": "x1", "B": "1"},
    "A=${HOME:?no}": {"A": _HOME},
    "A=${NO:?no}": _WRONG,
    "A=${NO?no}": _WRONG,
    "B=\nA=${B?no}": {"A": "", "B": ""},
    "B=\nA=${B:?no}": _WRONG,
    "A=${B:+${HOME}\nB=1": _WRONG,  # at its second reading
    "A=${}": _WRONG,
    "A=${HOME": _WRONG,
    "A=${NO:=x}": _WRONG,
    "A=${HOME:0:1}": _WRONG,
    # single quotes
    "A='$HOME ${NO:?x} $$'": {"A": "$HOME ${NO:?x} $$"},
    "A='a\\nb\\$c\\\\'": {"A": "a\\nb\\$c\\\\"},
    "A='q\\'q'": {"A": "q'q"},
    "A='\"x\"'": {"A": '"x"'},
    "A='l1\nl2'\nB=2": {"A": "l1\nl2", "B": "2"},
    "A='x": _WRONG,
    "A='x\\'": _WRONG,
    "A='it''s'": _WRONG,
    # double quotes
    'A="$HOME/bk"': {"A": f"{_HOME}/bk"},
    'A="a\\$HOME"': {"A": "a$HOME"},
    'A="a$$HOME"': {"A": "a$HOME"},
    'A="\\\\$HOME"': {"A": f"\\{_HOME}"},
    'A="q\\"q"': {"A": 'q"q'},
    'A="l1\\nl2\\t\\r"': {"A": "l1\nl2\t\r"},
    'A="\\x\\c\\!\\b\\0101\\012"': {"A": "\\x\\c\\!\bA\\12"},
    'A="l1\n# none\nl2"\nB=2': {"A": "l1\n# none\nl2", "B": "2"},
    'A="  v  "': {"A": "  v  "},
    'A="v"tail': {"A": "v"},
    'A="v" B=2': {"A": "v", "B": "2"},
    'A=""x': {"A": ""},
    'A="x': _WRONG,
    'A="a""b"': _WRONG,
    'A="""x"""': _WRONG,
}
_PIECES = (
    "A=", "B=", "\nA=", "\nB=", "$", "$$", "${", "}", "{", "A", "HOME", "NO", ":-", "-", ":?", "?",
    ":+", "+", "x", "#", " #", " ", "\t", "\n", "\r\n", '"', "'", "\\", "\\$", "\\n", '\\"', "\\'",
    "export ", "=", ":", "${NO:-", "${A:+", "${HOME}", "$HOME", "\\0101", "\u00fc", ".", "[",
)  # fmt: skip


def _ours(text: str) -> dict[str, str] | None:
    environment = {"HOME": _HOME, "C": _INHERITED}
    try:
        found = {**parse(text, environment).values, "C": _INHERITED}
    except EnvSyntaxError:
        return None
    return {name: found[name] for name in _NAMES if name in found}


def _of_compose(folder: Path, text: str, names: Sequence[str] = _NAMES) -> dict[str, str] | None:
    folder.mkdir()
    (folder / ".env").write_bytes(text.encode())
    asked = {name: f"<${{{name}-unset}}>" for name in names}
    service = {"image": "x", "environment": asked}
    file = folder / "compose.json"
    file.write_text(json.dumps({"services": {"a": service}}))
    ours = {"HOME": _HOME, "C": _INHERITED}
    env = {k: v for k, v in public_environment().items() if k not in _NAMES} | ours
    argv = ("docker", "compose", "--project-directory", str(folder), "--file", str(file), "config")
    done = run(*argv, "--format", "json", env=env)
    if done.returncode:
        assert f"{folder}/.env: " in done.stderr, done.stderr
        return None
    values = json.loads(done.stdout)["services"]["a"]["environment"]
    # `config` prints a compose file, in which a dollar sign is doubled.
    found = {name: value[1:-1].replace("$$", "$") for name, value in values.items()}
    return {name: value for name, value in found.items() if value != "unset"}


def _random_files(number: int) -> list[str]:
    chance = random.Random(18)  # the same ones each time
    begin = ("A=", 'A="', "A='", "A=${", "export A=")
    return [
        chance.choice(begin) + "".join(chance.choices(_PIECES, k=chance.randint(1, 12)))
        for _ in range(number)
    ]


@pytest.mark.parametrize("text", _CASES, ids=repr)
def test_a_file_is_read_as_the_table_says(text: str) -> None:
    expected = _CASES[text]
    assert _ours(text) == (None if expected is None else {"C": _INHERITED, **expected})


def test_compose_reads_every_file_as_we_do(tmp_path: Path) -> None:
    if not has_compose():
        pytest.skip("the Compose client is not installed")
    texts = [*_CASES, "", "\ufeffA=1", *_random_files(60)]
    with ThreadPoolExecutor(4) as pool:
        folders = [tmp_path / str(number) for number in range(len(texts))]
        found = list(pool.map(_of_compose, folders, texts))
    ours = [_ours(text.removeprefix("\ufeff")) for text in texts]
    assert sum(value is not None for value in found) > len(texts) / 3
    differing = {
        text: {"compose": theirs, "inv": mine}
        for text, theirs, mine in zip(texts, found, ours, strict=True)
        if theirs != mine
    }
    assert differing == {}


_VALUES = (
    "", "plain", "a b", "a  b ", "it's", '"', "$HOME", "${NO:?x}", "$$", "a#b", "a #b", "#", "\\",
    "a\\", "\\n", "\\'", "'\\", '\\"', "a'b$c\\d\"e", "l1\nl2", "ü", " x", "`x`",
    "https://h/p?a=b&c=$d#e",
)  # fmt: skip


@pytest.mark.parametrize("value", _VALUES, ids=repr)
def test_what_is_written_is_what_is_read(value: str) -> None:
    assert parse(f"A={quoted(value)}\nB=2\n", {"HOME": _HOME}).values == {"A": value, "B": "2"}


def test_compose_reads_what_is_written(tmp_path: Path) -> None:
    if not has_compose():
        pytest.skip("the Compose client is not installed")
    values = {f"V{number}": value for number, value in enumerate(_VALUES)}
    text = "".join(f"{name}={quoted(value)}\n" for name, value in values.items())
    assert _of_compose(tmp_path / "written", text, list(values)) == values


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A='x", 1),
        ("# c\n\nA=1\nB=${", 4),
        ("A='1\n2'\nB C=1", 3),
        ("A=1\n!", 2),
        ("\nA=${B?n}", 2),
    ],
)
def test_an_error_has_the_line(text: str, line: int) -> None:
    with pytest.raises(EnvSyntaxError) as caught:
        parse(text, {})
    assert caught.value.line == line
    assert not re.search(r"\\[dws]|\(\?", caught.value.message)
