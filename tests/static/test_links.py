"""Links in all Markdown files: to files of the repository, and to headings as GitHub names them."""

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.static.support.markdown import Page, anchor, pages
from tests.static.support.project import ROOT, tracked

_EVERY = pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)


def _dead(page: Page) -> list[str]:
    """Each link of `page` that leads nowhere, with its line and the reason."""
    found = ((link, _problem(page, link.target)) for link in page.links())
    return [f"{page.name}:{link.line}: {link.target}: {why}" for link, why in found if why]


def _problem(page: Page, target: str) -> str:
    if target.startswith("["):
        return "has no definition"
    address = urlsplit(target)
    if address.scheme:
        return "" if address.scheme in ("https", "mailto") else "is no https:// address"
    if not address.path:
        return _no_anchor(page, address.fragment)
    if address.path.startswith("/"):
        return "is an absolute path"
    path = Path(os.path.normpath(page.path.parent / unquote(address.path)))
    files = set(tracked())
    if path not in files and not any(path in file.parents for file in files):
        return "is not in the repository"
    if not address.fragment:
        return ""
    if path.suffix != ".md":
        return "names a place in a file that has no headings"
    return _no_anchor(Page.read(path), address.fragment)


def _no_anchor(page: Page, fragment: str) -> str:
    return "" if unquote(fragment) in page.anchors() else f"{page.name} has no such heading"


@_EVERY
def test_every_link_leads_to_a_file_and_a_heading_that_exist(page: Page) -> None:
    assert not _dead(page)


def test_every_page_of_the_documentation_can_be_reached_from_the_readme() -> None:
    known = {page.path: page for page in pages()}
    seen, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = known[waiting.pop()]
        seen.add(page.path)
        targets = (urlsplit(link.target) for link in page.links())
        paths = {Path(os.path.normpath(page.path.parent / t.path)) for t in targets if t.path}
        waiting += [path for path in paths if path in known and path not in seen]
    lost = {path for path in known if ROOT / "docs" in path.parents} - seen
    assert not lost


def test_every_page_that_another_file_names_exists() -> None:
    files = [path for path in tracked() if path.suffix != ".md" and path != Path(__file__)]
    texts = [path.read_text(errors="replace") for path in files]
    named = {name for text in texts for name in re.findall(r"\bdocs/[a-z/-]+\.md\b", text)}
    assert "docs/https.md" in named  # in .env.example
    assert not [name for name in named if not (ROOT / name).is_file()]


@pytest.mark.parametrize(
    ("heading", "wanted"),
    [
        ("Quick start", "quick-start"),
        ("`inv up`, and what it does", "inv-up-and-what-it-does"),
        ('503 "Back in a moment" that stays', "503-back-in-a-moment-that-stays"),
        ("By hand: snake_case & _emphasis_ – twice", "by-hand-snake_case--emphasis--twice"),
        ("See [the page](docs/x.md)!", "see-the-page"),
        ("Größe", "größe"),
        ("It ends with …", "it-ends-with-"),
    ],
)
def test_a_heading_has_the_anchor_that_github_gives_it(heading: str, wanted: str) -> None:
    assert anchor(heading) == wanted


def test_the_same_heading_twice_has_two_anchors() -> None:
    text = '# A\n## Steps\n```\n# no heading\n```\n## Steps\n<a id="mine"></a>\n'
    assert Page(ROOT / "x.md", text).anchors() == {"a", "steps", "steps-1", "mine"}


@pytest.mark.parametrize(
    ("text", "target", "why"),
    [
        ("[x](docs/nothing.md)", "docs/nothing.md", "is not in the repository"),
        ("[x](docs/commands.md#no)", "docs/commands.md#no", "docs/commands.md has no such heading"),
        ("[x](#no)", "#no", "x.md has no such heading"),
        ("[x](../outside.md)", "../outside.md", "is not in the repository"),
        ("[x](/etc/passwd)", "/etc/passwd", "is an absolute path"),
        ("[x](README.MD)", "README.MD", "is not in the repository"),
        ("[x](tasks.py#y)", "tasks.py#y", "names a place in a file that has no headings"),
        ("[x](http://example.com)", "http://example.com", "is no https:// address"),
        ("[x][nowhere]", "[nowhere]", "has no definition"),
        ("[x]: docs/nothing.md", "docs/nothing.md", "is not in the repository"),
    ],
)
def test_a_dead_link_is_found(text: str, target: str, why: str) -> None:
    assert _dead(Page(ROOT / "x.md", f"# X\n\n{text}\n")) == [f"x.md:3: {target}: {why}"]


def test_what_is_no_link_is_left_alone() -> None:
    text = "`[x](nothing)` [web](https://example.com) [folder](docs) [own](#x)\n```\n[x](y)\n```\n"
    assert not _dead(Page(ROOT / "x.md", f"# X\n{text}"))
