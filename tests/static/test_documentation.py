"""The documentation against the project: commands, options, settings, services, files."""

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Final

import pytest

from scripts import credentials
from scripts.cli.words import parse
from scripts.core.errors import UsageError
from tests.static.support.cli import commands, flags, positional
from tests.static.support.markdown import Page, documentation
from tests.static.support.project import COMPOSE_FILES, ROOT, compose, documented, tracked

_LONGEST_README: Final = 10_000  # bytes
_COMPLETION: Final = "--print-completion-script"
_INV: Final = ("inv", "./scripts/inv", "scripts/inv")
_PLACEHOLDER: Final = re.compile(r"[A-Z]+|…")
# Options of `docker compose` that are followed by a value: before its command, and after it.
_GLOBAL_WITH_VALUE: Final = ("-f", "--file", "--profile")
_WITH_VALUE: Final = ("-u", "--user", "-v", "--volume", "--env", "-e", "--tail")
_OF_A_SERVICE: Final = ("exec", "run", "logs", "restart", "build")
# Folders that are made on an installation, and names that stand for others.
_NOT_HERE: Final = re.compile(
    r"[A-Z]{3,}|[*<…]|^nginx/(certs/|maintenance)|^secrets/|^backups/|^odoo/wheels"
)
_EVERY = pytest.mark.parametrize("page", documentation(), ids=lambda page: page.name)
_RUNBOOKS = pytest.mark.parametrize(
    "page",
    [p for p in documentation() if p.name.startswith("docs/runbooks/")],
    ids=lambda p: p.name,
)


def _page(name: str) -> Page:
    return Page.read(ROOT / name)


def _commands(page: Page) -> Iterator[list[str]]:
    """Each command line in the code blocks and the inline code of `page`, as words."""
    lines = [line for block in page.blocks() for line in block.splitlines()]
    for line in [*lines, *page.code()]:
        for part in re.split(r"&&|\|\||[;|>]", re.sub(r"<\(([^)]*)\)", r"; \1", line)):
            try:
                words = shlex.split(re.sub(r"# or: |[][]", "", part.strip()), comments=True)
            except ValueError:
                continue  # half of a quotation that contains one of the separators
            if words[1:] and words[0] in (*_INV, "docker"):
                yield words


def _calls(page: Page) -> Iterator[list[str]]:
    """The words after `inv` in each call of it."""
    return (words[1:] for words in _commands(page) if words[0] in _INV)


def _complaint(words: Sequence[str]) -> str:
    """What `inv WORDS` would say; '' where it would run it."""
    if words[:1] == [_COMPLETION]:
        return "" if words[1:] in (["bash"], ["zsh"], ["fish"]) else f"no shell: {words[1:]}"
    named = [word for word in words if not word.startswith("-") and word != "help"]
    if not named or _PLACEHOLDER.fullmatch(named[0]):
        return ""
    if len(words) == 1 and words[0] in flags():
        return ""  # its name, perhaps without what it needs
    try:
        line = parse(words, commands())
    except UsageError as error:
        return error.message
    return "" if len(line.calls) < 2 else f"these are {len(line.calls)} commands"


@_EVERY
def test_every_command_in_it_exists_with_its_options(page: Page) -> None:
    wrong = {" ".join(words): _complaint(words) for words in _calls(page)}
    assert not {command: why for command, why in wrong.items() if why}


def _described() -> dict[str, set[str]]:
    """The commands that begin a row in the tables of docs/commands.md, and their options."""
    rows = re.findall(
        r"^\| `inv ([a-z-]+(?:\.[a-z-]+)?)([^`]*)` \|", _page("docs/commands.md").text, re.M
    )
    names = [name for name, _ in rows]
    assert len(names) == len(set(names)), "a command has two rows"
    return {name: set(re.findall(r"--[a-z-]+", options)) for name, options in rows}


def test_every_command_has_a_row_in_the_reference() -> None:
    assert _described().keys() == flags().keys()


@pytest.mark.parametrize("command", sorted(flags()))
def test_the_reference_has_every_option_of_a_command_and_no_other(command: str) -> None:
    described, there = _described()[command], flags()[command]
    assert there - positional()[command] <= described <= there


@_EVERY
def test_every_service_that_compose_is_called_with_exists(page: Page) -> None:
    services = {name for file in COMPOSE_FILES for name in compose(file)["services"]}
    called = {
        _service(words[2:]) for words in _commands(page) if words[:2] == ["docker", "compose"]
    }
    assert called <= services | {""}


def _service(words: Sequence[str]) -> str:
    """Which service `docker compose WORDS` is about; '' where it is about none."""
    kept, skip = list[str](), False
    for word in words:
        if not skip and not word.startswith("-"):
            kept.append(word)
        skip = not skip and word in (_WITH_VALUE if kept else _GLOBAL_WITH_VALUE)
    of_one = len(kept) > 1 and kept[0] in _OF_A_SERVICE and not _PLACEHOLDER.fullmatch(kept[1])
    return kept[1] if of_one else ""


@_EVERY
def test_every_file_of_the_repository_that_it_names_exists(page: Page) -> None:
    names = {path.relative_to(ROOT).as_posix() for path in tracked()}
    folders = {parent.as_posix() for path in tracked() for parent in path.relative_to(ROOT).parents}
    top = {name.partition("/")[0] for name in names if "/" in name}
    named = {word.rstrip("/") for word in page.code() if re.fullmatch(r"[\w.-]+/[\w./-]+", word)}
    ours = {word for word in named if word.partition("/")[0] in top and not _NOT_HERE.search(word)}
    assert not ours - names - folders


def test_every_setting_is_in_the_table_of_settings() -> None:
    table = re.findall(
        r"^\|.*\|$", _page("docs/configuration.md").text.partition("### Check")[0], re.M
    )
    found = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", "\n".join(table)))
    assert found == documented().keys()


def test_every_secret_is_in_the_table_of_secrets() -> None:
    table = _page("docs/security.md").text.partition("### Rotation")[0]
    assert set(re.findall(r"`([a-z_]+)\.txt`", table)) == {spec.name for spec in credentials.SPECS}


def test_every_service_and_volume_is_in_the_architecture() -> None:
    words = set(_page("docs/architecture.md").code())
    parts = [compose(file) for file in COMPOSE_FILES]
    services = {name for part in parts for name in part["services"]}
    volumes = {name for part in parts for name in part["volumes"]} - {"supabase_run"}  # in memory
    assert services | volumes <= words


def test_the_tree_has_every_folder_and_names_none_that_is_not_there() -> None:
    text = _page("docs/architecture.md").text.partition("## Directory tree")[2]
    tree = text.split("```")[1]
    first = [
        word
        for line in tree.splitlines()
        if line[:1].strip()
        for word in line.split("  ")[0].split(", ")
    ]
    named = {word.rstrip("/") for word in first if word}
    assert not [name for name in named if not (ROOT / name).exists()]
    tops = {path.relative_to(ROOT).parts[0] for path in tracked() if path.parent != ROOT}
    assert tops <= {name.partition("/")[0] for name in named}


def test_the_readme_is_short_and_has_the_two_commands() -> None:
    page = _page("README.md")
    assert len(page.text.encode()) <= _LONGEST_README
    lines = [line for block in page.blocks() for line in block.splitlines()]
    assert {"./scripts/inv quickstart", "./scripts/inv test"} <= set(lines)


@_RUNBOOKS
def test_a_runbook_says_when_how_to_check_and_how_to_see_that_it_worked(page: Page) -> None:
    assert re.search(r"^\*\*(Symptom:|Use it when)\*\*", page.text, re.M)
    assert {"check", "it-worked-if"} <= page.anchors()
    assert page.text.rindex("\n## It worked if") > page.text.rindex("\n```bash")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("`inv up --prod`", ""),
        ("`inv --dry up`", ""),
        ("`inv module.install sale,crm [--database NAME] [--max-lock-wait 60]`", ""),
        ("`inv restore --configuration [ID]`", ""),
        ("```bash\nsource <(inv --print-completion-script bash)\n```", ""),
        ("`inv nothing`", "'nothing' is not a command"),
        ("`inv --nothing up`", "--nothing is not an option"),
        ("```bash\n./scripts/inv up --nothing   # comment\n```", "--nothing is not an option"),
        ("`inv backup create`", "'create' is not a command"),
        ("`inv module.prune --keep`", "--keep needs a value"),
        ("`inv up down`", "these are 2 commands"),
    ],
)
def test_a_command_that_inv_would_refuse_is_found(text: str, complaint: str) -> None:
    (words,) = _calls(Page(ROOT / "x.md", text))
    found = _complaint(words)
    assert complaint in found and bool(complaint) == bool(found)


def test_the_search_finds_commands_in_blocks_and_in_inline_code() -> None:
    block = "1. Do\n   ```bash\n   inv up --prod && ./scripts/inv ps # x\n   ```\n"
    text = f"{block}`inv logs --service\nodoo`"
    assert list(_calls(Page(ROOT / "x.md", text))) == [
        ["up", "--prod"],
        ["ps"],
        ["logs", "--service", "odoo"],
    ]


@pytest.mark.parametrize(
    ("line", "service"),
    [
        ("docker compose run --rm --no-deps redis repair", "redis"),
        ("docker compose exec -u nginx nginx find /var/cache", "nginx"),
        ("docker compose -f compose.yaml -f compose.prod.yaml up -d", ""),
        ("docker compose run --rm --volume a:b:ro sandbox /in/a", "sandbox"),
        ("docker compose logs -f odoo", "odoo"),
    ],
)
def test_the_service_of_a_call_of_compose_is_found(line: str, service: str) -> None:
    assert _service(shlex.split(line)[2:]) == service
